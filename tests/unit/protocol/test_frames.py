"""The messages between gateway and worker are read as they were written, and no other bytes are."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.http.message import Reply, Request, SlotTimes, TargetPolicy
from fast_priority.protocol.frames import (
    MOST_CHUNK_BYTES,
    Cancel,
    Chunk,
    Credit,
    End,
    Failure,
    ForwardCall,
    Frame,
    Go,
    Head,
    NewerFrame,
    UnreadableMessage,
    decode_call,
    decode_frame,
    encode,
)
from fast_priority.protocol.wire_version import WIRE_VERSION

Decoder = Callable[[bytes], ForwardCall | Frame]

field_lines = st.lists(st.tuples(st.binary(), st.binary()))
requests = st.builds(Request, st.text(), st.binary(), field_lines, st.none() | st.binary())
numbers = st.floats(allow_nan=False)
policies = st.builds(TargetPolicy, st.text(), numbers, numbers, st.integers(0, 2**63 - 1))
calls = st.builds(ForwardCall, requests, policies, st.integers(0, 2**63 - 1), st.booleans(), numbers)
lines = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=1000)
replies = st.builds(Reply, st.integers(200, 599), field_lines, st.binary())
counts = st.integers(0, 2**63 - 1)
parts = (
    replies
    | st.builds(Failure, lines, lines)
    | st.builds(Head, st.integers(200, 599), field_lines, lines)
    | st.builds(Chunk, counts, st.binary().map(memoryview))
    | st.builds(End, counts)
    | st.builds(Credit, counts, lines)
    | st.just(Cancel())
    | st.just(Go())
)
frames = st.builds(Frame, st.text(), parts, st.integers(1, WIRE_VERSION))

CALL = ForwardCall(Request("GET", b"/", [], b""), TargetPolicy("http://api", 1.0, 2.0, 3))
FRAME = Frame("id", Failure("internal-error", "why"))
both_decoders = pytest.mark.parametrize("decode", [decode_call, decode_frame])


@given(calls)
def test_call_survives(call: ForwardCall) -> None:
    """A call is read as it was written: every byte, field order and repeated fields."""
    assert decode_call(encode(call)) == call


def test_a_call_of_an_earlier_release() -> None:
    """A call without the fields for permits and for the client's timeout asks for no permit."""
    earlier = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(CALL))[:-2])
    assert decode_call(earlier) == CALL
    assert not decode_call(earlier).is_permit


@given(frames)
def test_frame_survives(frame: Frame) -> None:
    """A frame is read as it was written, with the same type of part."""
    read = decode_frame(encode(frame))
    assert (read, type(read.part)) == (frame, type(frame.part))


def test_a_frame_of_an_earlier_release() -> None:
    """A frame without a version is of version 1."""
    earlier = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(FRAME))[:2])
    assert decode_frame(earlier) == FRAME
    assert decode_frame(earlier).version == 1


NEWER = WIRE_VERSION + 1


@pytest.mark.parametrize(
    "newer",
    [
        ["id", ["end", 7], NEWER],
        ["id", ["end", 7, "a new field"], NEWER],
        ["id", ["a new kind of part", {"a": 1}], NEWER],
        ["id", "no part as we know it", NEWER, "a new field"],
        ["id", ["chunk", 0, b"data"], 1000],
    ],
)
def test_a_newer_frame_names_its_request(newer: list[object]) -> None:
    """A frame of a newer wire version is not read, whatever is in it, but its request is known."""
    with pytest.raises(NewerFrame, match=f"version {newer[2]}") as raised:
        decode_frame(msgspec.msgpack.encode(newer))
    assert (raised.value.request_id, raised.value.version) == ("id", newer[2])


@pytest.mark.parametrize("version", [0, -1, "2", None])
def test_a_version_that_is_no_number(version: object) -> None:
    """A frame with something else in the place of its version is unreadable, and not newer."""
    with pytest.raises(UnreadableMessage) as raised:
        decode_frame(msgspec.msgpack.encode(["id", ["end", 7], version]))
    assert not isinstance(raised.value, NewerFrame)


@both_decoders
@given(data=st.binary())
def test_any_bytes(decode: Decoder, data: bytes) -> None:
    """Bytes that are not the message raise UnreadableMessage and nothing else."""
    try:
        decode(data)
    except UnreadableMessage:
        return
    pytest.fail("random bytes were read as a message")


@given(calls | frames, st.data())
def test_cut_short(message: ForwardCall | Frame, data: st.DataObject) -> None:
    """A message that was cut short raises UnreadableMessage."""
    whole = encode(message)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(UnreadableMessage):
        (decode_call if isinstance(message, ForwardCall) else decode_frame)(part)


@given(calls | frames, st.data())
def test_damaged(message: ForwardCall | Frame, data: st.DataObject) -> None:
    """A message with a byte changed is read as something of its type, or raises UnreadableMessage."""
    damaged = bytearray(encode(message))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    decode: Decoder = decode_call if isinstance(message, ForwardCall) else decode_frame
    try:
        assert type(decode(bytes(damaged))) is type(message)
    except UnreadableMessage:
        return


def test_a_frame_is_not_a_call() -> None:
    """A frame is not read as a call."""
    with pytest.raises(UnreadableMessage, match="not a forward call"):
        decode_call(encode(FRAME))


def test_a_call_is_not_a_frame() -> None:
    """A call is not read as a frame."""
    with pytest.raises(UnreadableMessage, match="not a frame"):
        decode_frame(encode(CALL))


@both_decoders
def test_text_that_is_not_utf8(decode: Decoder) -> None:
    """Text that is not UTF-8 raises UnreadableMessage."""
    data = encode(CALL).replace(b"\xa3GET", b"\xa3G\xffT") if decode is decode_call else b"\x92\xa1\xff\xc0"
    with pytest.raises(UnreadableMessage):
        decode(data)


@both_decoders
def test_endless_nesting(decode: Decoder) -> None:
    """A message with endless nesting behind its last field raises UnreadableMessage."""
    whole = encode(CALL if decode is decode_call else FRAME)
    three_instead_of_two = b"\x93" + whole[1:]
    with pytest.raises(UnreadableMessage):
        decode(three_instead_of_two + b"\x91" * 5_000_000 + b"\x90")  # deeper than the stack of any Python


def test_messages_do_not_change() -> None:
    """A message cannot be changed."""
    with pytest.raises(AttributeError):
        CALL.request.method = "POST"  # type: ignore[misc]


def test_a_chunk_is_bounded() -> None:
    """A chunk of the largest size is read; one that is a byte larger is not a frame."""
    largest = Frame("id", Chunk(0, memoryview(bytes(MOST_CHUNK_BYTES))))
    assert decode_frame(encode(largest)) == largest
    with pytest.raises(UnreadableMessage):
        decode_frame(encode(Frame("id", Chunk(0, memoryview(bytes(MOST_CHUNK_BYTES + 1))))))


TIMES = SlotTimes(30_000, 20_000)


@pytest.mark.parametrize(
    ("part", "items_before"),
    [
        (Reply(200, [], b"x", "1.1", TIMES), 5),
        (Head(200, [], "w1", "1.1", TIMES), 5),
        (Failure("slug", "detail", SlotTimes(30_000)), 3),
    ],
    ids=["reply", "head", "failure"],
)
def test_the_times_of_a_slot(part: Reply | Head | Failure, items_before: int) -> None:
    """They come last, where a release that does not know them reads nothing; and an answer without them is read."""
    data = encode(Frame("id", part))
    assert decode_frame(data) == Frame("id", part)
    request_id, items, version = msgspec.msgpack.decode(data)
    without = decode_frame(msgspec.msgpack.encode([request_id, items[:items_before], version])).part
    assert isinstance(without, Reply | Head | Failure)
    assert without.times is None


@pytest.mark.parametrize("times", [[-1, None], [float("nan"), None], ["1", None], [10**14, 0], [1, -1], [], "x"])
def test_times_that_are_none(times: object) -> None:
    """What no worker can have measured is unreadable."""
    with pytest.raises(UnreadableMessage):
        decode_frame(msgspec.msgpack.encode(["id", ["failure", "slug", "detail", times]]))
