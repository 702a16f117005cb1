"""What travels between gateway and worker, and its form on the wire.

The gateway sends a `ForwardCall`, the worker answers with an `Answer`. Both are msgpack arrays checked field by field
as they are decoded: bytes that do not fit raise `UnreadableMessage` and nothing else.
"""

from typing import TypeAlias

import msgspec

Fields: TypeAlias = list[tuple[bytes, bytes]]
"""Field lines in the order sent, repeated names kept apart; names in any case, values without outer white space."""


class UnreadableMessage(ValueError):
    """Bytes from Redis that are not the message they should be."""


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the client sent, byte for byte, less what concerns only the connection it came on."""

    method: str
    raw_target: bytes
    """Path and query as they stood in the request line."""
    fields: Fields
    body: bytes


class TargetPolicy(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where requests go and how long, in seconds, and how large, in bytes, things may get; 0 bytes means no limit."""

    base_url: str
    connect_timeout_seconds: float
    timeout_seconds: float
    max_body_bytes: int


class ForwardCall(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The one argument of the one job there is: send this request there."""

    request: Request
    policy: TargetPolicy


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="reply"):
    """The target's response, whole."""

    status: int
    fields: Fields
    body: bytes


class Failure(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="failure"):
    """There is no response; `slug` names the GatewayError."""

    slug: str
    detail: str


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One frame on a gateway's inbox: which request it answers, and with what."""

    request_id: str
    outcome: Reply | Failure


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_encoder = msgspec.msgpack.Encoder()
_call_decoder = msgspec.msgpack.Decoder(ForwardCall)
_answer_decoder = msgspec.msgpack.Decoder(Answer)


def encode(message: ForwardCall | Answer) -> bytes:
    """Give the message's wire form."""
    return _encoder.encode(message)


def decode_call(data: bytes) -> ForwardCall:
    """Read a ForwardCall. Raises UnreadableMessage."""
    try:
        return _call_decoder.decode(data)
    except _UNREADABLE as error:
        raise UnreadableMessage(f"not a forward call: {error}") from error


def decode_answer(data: bytes) -> Answer:
    """Read an Answer. Raises UnreadableMessage."""
    try:
        return _answer_decoder.decode(data)
    except _UNREADABLE as error:
        raise UnreadableMessage(f"not an answer: {error}") from error
