"""The messages between gateway and worker, and their form on the wire.

The gateway submits a `ForwardCall`. From then on each side sends `Frame`s, each with one part of one request:

    worker to gateway    Credit*  (Reply | Failure | Head Chunk* (End | Failure))
    gateway to worker    Credit*  Chunk* End, if the body was not in the call; Cancel, when the client has left

If the call asks for a permit, they are:

    worker to gateway    Go, again every GO_AGAIN_SECONDS; or Failure
    gateway to worker    Cancel, when it does not need the slot any more

A `Reply` is a whole response. A response that is large or slow comes as a head, chunks and an end. Chunks of a body are
sent only as far as the other side has granted credit for them. All messages are msgpack arrays, checked field by field
as they are decoded: other bytes raise `UnreadableMessage` and nothing else. A frame of a newer wire version raises
`NewerFrame`, which names its request.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from fast_priority.http.message import Bytes, Fields, FinalStatus, HttpVersion, Reply, Request, SlotTimes, TargetPolicy
from fast_priority.protocol.wire_version import WIRE_VERSION

MOST_CHUNK_BYTES = 512 * 1024
"""Most bytes of a body in one frame."""

GO_AGAIN_SECONDS = 5.0
"""How often a worker repeats a Go: a gateway that does not know the request any more answers with a Cancel."""

Count: TypeAlias = Annotated[int, Meta(ge=0)]
"""A number of chunks."""

LogLine: TypeAlias = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")]
"""Text that fits into one line of a log, and into one field."""


class UnreadableMessage(ValueError):
    """Bytes from Redis are not the message that was expected."""


class NewerFrame(UnreadableMessage):
    """A frame of a newer wire version than this release reads."""

    def __init__(self, request_id: str, version: int) -> None:
        super().__init__(f"it is of wire version {version}, and this process reads up to {WIRE_VERSION}")
        self.request_id = request_id
        self.version = version


class ForwardCall(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The argument of a job: send this request to this target."""

    request: Request
    policy: TargetPolicy
    frames_in_flight: int = 6
    """How many chunks may be under way, in either direction, before the other side has taken one."""
    is_permit: bool = False
    """Whether it asks for a permit: the worker holds the slot while the gateway itself talks to the target."""
    client_timeout_seconds: float = 15.0
    """How long the gateway waits for the client; see `rate_timeout.py`."""


class Failure(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="failure"):
    """There is no response, or no more of it; `slug` names the GatewayError."""

    slug: LogLine
    detail: LogLine
    times: SlotTimes | None = None
    """None: it is not known how long it had its slot, or it is in the middle of a response."""


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="head"):
    """The head of a response whose body follows in chunks. The gateway grants credit for them to `mailbox`."""

    status: FinalStatus
    fields: Fields
    mailbox: LogLine
    http_version: HttpVersion = "1.1"
    times: SlotTimes | None = None


class Chunk(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="chunk"):
    """A piece of a body. Chunks are numbered from 0, so that a lost or repeated one is noticed."""

    number: Count
    data: Annotated[memoryview, Meta(max_length=MOST_CHUNK_BYTES)]
    """A view of the bytes that it was read or cut from: bodies are not copied here."""


class End(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="end"):
    """The body is whole; `number` is the number of its chunks."""

    number: Count


class Credit(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="want"):
    """Chunks may be sent up to, and without, this number. A worker names the mailbox for them."""

    below: Count
    mailbox: LogLine = ""


class Cancel(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="leave"):
    """The client has left, or the permit is over: the rest is not needed."""


class Go(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="go"):
    """The permit is granted: the gateway may talk to the target, and the worker holds the slot until a Cancel comes."""


Part: TypeAlias = Reply | Failure | Head | Chunk | End | Credit | Cancel | Go


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One part of one request, on its way from one side to the other."""

    request_id: str
    part: Part
    version: Annotated[int, Meta(ge=1)] = 1
    """The wire version of the job that it is about."""


class _Envelope(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A frame whose part is not read."""

    request_id: str
    part: msgspec.Raw
    version: Annotated[int, Meta(ge=1)] = 1


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_encoder = msgspec.msgpack.Encoder()
_call_decoder = msgspec.msgpack.Decoder(ForwardCall)
_NO_BYTES = memoryview(b"")
_NO_DATA, _BIN_32 = b"\xc4\x00", b"\xc6"  # how msgpack writes no bytes, and begins up to 4 GiB of them
_VERSION_BYTES = 1
_frame_decoder = msgspec.msgpack.Decoder(Frame)
_envelope_decoder = msgspec.msgpack.Decoder(_Envelope)


def encode(message: ForwardCall | Frame) -> bytes:
    """Return the wire form of a message."""
    if isinstance(message, Frame) and isinstance(message.part, Chunk):
        # Only the version stands behind the data: the data is copied once, and not each time a buffer grows.
        without_data = _encoder.encode(
            Frame(message.request_id, Chunk(message.part.number, _NO_BYTES), message.version)
        )
        data, data_at = message.part.data, len(without_data) - _VERSION_BYTES - len(_NO_DATA)
        size = len(data).to_bytes(4, "big")
        return b"".join((without_data[:data_at], _BIN_32, size, data, without_data[-_VERSION_BYTES:]))
    return _encoder.encode(message)


def encode_part(part: Part) -> bytes:
    """Return the middle of a Frame's wire form: the caller puts `[request_id,` before it and the version behind it."""
    return _encoder.encode(part)


def decode_call(data: bytes) -> ForwardCall:
    """Return the ForwardCall in these bytes. Raises UnreadableMessage."""
    try:
        return _call_decoder.decode(data)
    except _UNREADABLE as error:
        raise UnreadableMessage(f"not a forward call: {error}") from error


def decode_frame(data: bytes) -> Frame:
    """Return the Frame in these bytes. Raises UnreadableMessage, and NewerFrame for one of a newer wire version."""
    try:
        frame = _frame_decoder.decode(data)
    except _UNREADABLE as error:
        raise _newer_frame(data) or UnreadableMessage(f"not a frame: {error}") from error
    if frame.version > WIRE_VERSION:
        raise NewerFrame(frame.request_id, frame.version)
    return frame


def _newer_frame(data: bytes) -> NewerFrame | None:
    """Return the error for a frame with a part that only a newer release knows; None for other bytes."""
    try:
        envelope = _envelope_decoder.decode(data)
    except _UNREADABLE:
        return None
    is_newer = envelope.version > WIRE_VERSION
    return NewerFrame(envelope.request_id, envelope.version) if is_newer else None


def pieces_of(data: Bytes) -> Iterator[memoryview]:
    """Return pieces of the data that fit a Chunk; no piece of no data."""
    view = memoryview(data)
    return (view[start : start + MOST_CHUNK_BYTES] for start in range(0, len(view), MOST_CHUNK_BYTES))


async def in_pieces(body: AsyncIterator[Bytes]) -> AsyncIterator[memoryview]:
    """Yield a body in pieces that fit a Chunk each."""
    async for data in body:
        for piece in pieces_of(data):
            yield piece
