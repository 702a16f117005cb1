"""An HTTP message as gateway and worker have it: field lines, a request, a response, and where requests go.

They travel through Redis as msgpack arrays, checked field by field as they are decoded.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Field: TypeAlias = tuple[bytes, bytes]
Fields: TypeAlias = list[Field]
"""Field lines in the order sent, repeated names kept apart; names in any case, values without outer white space."""

HttpVersion: TypeAlias = Literal["1.0", "1.1"]


Bytes: TypeAlias = bytes | memoryview
"""A piece of a body."""

FinalStatus: TypeAlias = Annotated[int, Meta(ge=200, le=599)]
"""The status of a final response (RFC 9110, section 15)."""


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the client sent, byte for byte, less what concerns only the connection it came on."""

    method: str
    raw_target: bytes
    """Path and query as they stood in the request line."""
    fields: Fields
    body: bytes | None
    """None: the body is still with the client, and comes in chunks once they are wanted."""


class TargetPolicy(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where requests go and how long, in seconds, and how large, in bytes, things may get; 0 bytes means no limit."""

    base_url: str
    connect_timeout_seconds: float
    timeout_seconds: float
    max_body_bytes: int


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="reply"):
    """The target's response, whole."""

    status: FinalStatus
    fields: Fields
    body: bytes
    http_version: HttpVersion = "1.1"
    """What the target spoke; the gateway says so in Via."""
