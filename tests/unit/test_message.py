"""What travels between gateway and worker survives the way, and nothing else is taken for it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.message import (
    Answer,
    Failure,
    ForwardCall,
    Reply,
    Request,
    TargetPolicy,
    UnreadableMessage,
    decode_answer,
    decode_call,
    encode,
)

Decoder = Callable[[bytes], ForwardCall | Answer]

field_lines = st.lists(st.tuples(st.binary(), st.binary()))
requests = st.builds(Request, st.text(), st.binary(), field_lines, st.binary())
numbers = st.floats(allow_nan=False)
policies = st.builds(TargetPolicy, st.text(), numbers, numbers, st.integers(0, 2**63 - 1))
calls = st.builds(ForwardCall, requests, policies)
replies = st.builds(Reply, st.integers(100, 599), field_lines, st.binary())
answers = st.builds(Answer, st.text(), replies | st.builds(Failure, st.text(), st.text()))

CALL = ForwardCall(Request("GET", b"/", [], b""), TargetPolicy("http://api", 1.0, 2.0, 3))
ANSWER = Answer("id", Failure("internal-error", "why"))
both_decoders = pytest.mark.parametrize("decode", [decode_call, decode_answer])


@given(calls)
def test_call_survives(call: ForwardCall) -> None:
    """A call is read as it was written: every byte, field order and repeated fields."""
    assert decode_call(encode(call)) == call


@given(answers)
def test_answer_survives(answer: Answer) -> None:
    """An answer is read as it was written, and a reply is never taken for a failure."""
    read = decode_answer(encode(answer))
    assert (read, type(read.outcome)) == (answer, type(answer.outcome))


@both_decoders
@given(data=st.binary())
def test_any_bytes(decode: Decoder, data: bytes) -> None:
    """Bytes that are not the message raise UnreadableMessage and nothing else."""
    try:
        decode(data)
    except UnreadableMessage:
        return
    pytest.fail("bytes out of thin air were read as a message")


@given(calls | answers, st.data())
def test_cut_short(message: ForwardCall | Answer, data: st.DataObject) -> None:
    """A message that was cut off is not read."""
    whole = encode(message)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(UnreadableMessage):
        (decode_call if isinstance(message, ForwardCall) else decode_answer)(part)


@given(calls | answers, st.data())
def test_damaged(message: ForwardCall | Answer, data: st.DataObject) -> None:
    """A message with a byte changed is read as something of its type, or raises UnreadableMessage."""
    damaged = bytearray(encode(message))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    decode: Decoder = decode_call if isinstance(message, ForwardCall) else decode_answer
    try:
        assert type(decode(bytes(damaged))) is type(message)
    except UnreadableMessage:
        return


def test_answer_is_no_call() -> None:
    """An answer is not taken for a call."""
    with pytest.raises(UnreadableMessage, match="not a forward call"):
        decode_call(encode(ANSWER))


def test_call_is_no_answer() -> None:
    """A call is not taken for an answer."""
    with pytest.raises(UnreadableMessage, match="not an answer"):
        decode_answer(encode(CALL))


@both_decoders
def test_text_that_is_not_utf8(decode: Decoder) -> None:
    """Text that is not UTF-8 raises UnreadableMessage."""
    data = encode(CALL).replace(b"\xa3GET", b"\xa3G\xffT") if decode is decode_call else b"\x92\xa1\xff\xc0"
    with pytest.raises(UnreadableMessage):
        decode(data)


@both_decoders
def test_nesting_without_end(decode: Decoder) -> None:
    """A message with something more after its last field, nested without end, raises UnreadableMessage."""
    whole = encode(CALL if decode is decode_call else ANSWER)
    three_instead_of_two = b"\x93" + whole[1:]
    with pytest.raises(UnreadableMessage):
        decode(three_instead_of_two + b"\x91" * 100_000 + b"\x90")


def test_messages_do_not_change() -> None:
    """A message stays as it was made."""
    with pytest.raises(AttributeError):
        CALL.request.method = "POST"  # type: ignore[misc]
