"""What travels between gateway and worker, and its form on the wire.

The gateway submits a `ForwardCall`. From then on each side sends the other `Frame`s, of one request each:

    worker to gateway    Credit*  (Reply | Failure | Head Chunk* (End | Failure))
    gateway to worker    Credit*  Chunk* End, if the body was not in the call; Cancel, when the client has left

or, if the call asks for a permit:

    worker to gateway    Go, again every GO_AGAIN_SECONDS; or Failure
    gateway to worker    Cancel, when it does not need the slot any more

A `Reply` is a whole response; one that is large or slow comes as a head, chunks and an end. A body travels in chunks
only as far as the other side wants them. All are msgpack arrays checked field by field as they are decoded: bytes that
do not fit raise `UnreadableMessage` and nothing else.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.http.message import Bytes, Fields, FinalStatus, HttpVersion, Reply, Request, TargetPolicy

MOST_CHUNK_BYTES = 512 * 1024
"""Most bytes of a body that travel in one frame."""


SLOWEST_BYTES_PER_SECOND = 4096
"""A target that takes a request's body more slowly than that is taken for one that does not take it at all."""
GRACE_SECONDS = 15.0
"""How much longer one side waits for the other than what the other waits for is allowed to take."""

GO_AGAIN_SECONDS = 5.0
"""How often a worker repeats a Go: a gateway that does not know the request any more then ends the permit."""


_MOST_UNTAKEN_BYTES = 8 * 1024 * 1024  # of a response: in the gateway one chunk, in its system 4 MiB on most machines


Count: TypeAlias = Annotated[int, Meta(ge=0)]
"""A number of chunks."""

LogLine: TypeAlias = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")]
"""Text that a log, and a field, can have in one line."""


class UnreadableMessage(ValueError):
    """Bytes from Redis that are not the message they should be."""


class ForwardCall(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The one argument of the one job there is: send this request there."""

    request: Request
    policy: TargetPolicy
    frames_in_flight: int = 6
    """How many chunks may be on their way, in either direction, before the other side has taken one."""
    is_permit: bool = False
    """Whether it asks for a permit: the worker holds the slot while the gateway itself talks to the target."""
    client_timeout_seconds: float = 15.0
    """The gateway's patience with the client; see `rate_timeout.py`."""

    @property
    def most_sending_silence_seconds(self) -> float:
        """How long the gateway may have no piece of the request's body to send: it waits for the client, or for Redis.

        It knows how patient to be. This bound is for a gateway that sends nothing though it lives.
        """
        return self.policy.timeout_seconds + self.client_timeout_seconds + GRACE_SECONDS

    @property
    def most_taking_silence_seconds(self) -> float:
        """How long the gateway may want no more of the response: the client takes it as slowly as it may.

        This bound is for a gateway that wants nothing though it lives, too.
        """
        untaken_bytes = (self.frames_in_flight // 2 + 1) * MOST_CHUNK_BYTES + _MOST_UNTAKEN_BYTES
        return self.most_sending_silence_seconds + untaken_bytes / LEAST_BYTES_PER_SECOND


class Failure(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="failure"):
    """There is no response; `slug` names the GatewayError."""

    slug: LogLine
    detail: LogLine


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="head"):
    """The beginning of a response whose body follows in chunks; the worker hears what is wanted of it at `mailbox`."""

    status: FinalStatus
    fields: Fields
    mailbox: LogLine
    http_version: HttpVersion = "1.1"


class Chunk(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="chunk"):
    """A piece of a body. Chunks are numbered from 0, so that none is lost or taken twice without notice."""

    number: Count
    data: Annotated[memoryview, Meta(max_length=MOST_CHUNK_BYTES)]
    """A view of what it was read from, or cut from: bodies are not copied here."""


class End(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="end"):
    """The body is whole; `number` is how many chunks it had."""

    number: Count


class Credit(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="want"):
    """Chunks are wanted up to, and without, this number; a worker says at which mailbox."""

    below: Count
    mailbox: LogLine = ""


class Cancel(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="leave"):
    """The client has left: nobody waits for the rest."""


class Go(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="go"):
    """The permit is there: the gateway may talk to the target, and the worker holds the slot until a Leave comes."""


Part: TypeAlias = Reply | Failure | Head | Chunk | End | Credit | Cancel | Go


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one side says to the other about one request."""

    request_id: str
    part: Part


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_encoder = msgspec.msgpack.Encoder()
_call_decoder = msgspec.msgpack.Decoder(ForwardCall)
_NOTHING = memoryview(b"")
_NO_DATA, _BIN_32 = b"\xc4\x00", b"\xc6"  # how msgpack writes no bytes, and begins up to 4 GiB of them
_frame_decoder = msgspec.msgpack.Decoder(Frame)


def encode(message: ForwardCall | Frame) -> bytes:
    """Give the message's wire form."""
    if isinstance(message, Frame) and isinstance(message.part, Chunk):
        # The data stands last, so that it can be put there by itself: copied once, and not each time a buffer grows.
        without_data = _encoder.encode(Frame(message.request_id, Chunk(message.part.number, _NOTHING)))
        data = message.part.data
        return b"".join((without_data[: -len(_NO_DATA)], _BIN_32, len(data).to_bytes(4, "big"), data))
    return _encoder.encode(message)


def encode_part(part: Part) -> bytes:
    """Give the second half of a Frame's wire form, for whoever puts `[request_id,` before it."""
    return _encoder.encode(part)


def decode_call(data: bytes) -> ForwardCall:
    """Read a ForwardCall. Raises UnreadableMessage."""
    try:
        return _call_decoder.decode(data)
    except _UNREADABLE as error:
        raise UnreadableMessage(f"not a forward call: {error}") from error


def decode_frame(data: bytes) -> Frame:
    """Read a Frame. Raises UnreadableMessage."""
    try:
        return _frame_decoder.decode(data)
    except _UNREADABLE as error:
        raise UnreadableMessage(f"not a frame: {error}") from error


def pieces_of(data: Bytes) -> Iterator[memoryview]:
    """Cut data into pieces that fit a Chunk; none of nothing."""
    view = memoryview(data)
    return (view[start : start + MOST_CHUNK_BYTES] for start in range(0, len(view), MOST_CHUNK_BYTES))


async def in_pieces(body: AsyncIterator[Bytes]) -> AsyncIterator[memoryview]:
    """Give a body in pieces that fit a Chunk each."""
    async for data in body:
        for piece in pieces_of(data):
            yield piece
