"""HTTP messages as gateway and worker hold them: field lines, a request, a response, and the policy of a target.

They travel through Redis as msgpack arrays, which are checked item by item when they are decoded.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Field: TypeAlias = tuple[bytes, bytes]
Fields: TypeAlias = list[Field]
"""Field lines in the order sent, one for each line; names in any case, values without white space around them."""

HttpVersion: TypeAlias = Literal["1.0", "1.1"]

Bytes: TypeAlias = bytes | memoryview
"""A piece of a body."""

FinalStatus: TypeAlias = Annotated[int, Meta(ge=200, le=599)]
"""The status of a final response (RFC 9110, section 15)."""


Microseconds: TypeAlias = Annotated[int, Meta(ge=0, le=10**13)]
"""A duration."""


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A client's request, byte for byte, without what concerns only the connection that it came on."""

    method: str
    raw_target: bytes
    """Path and query as they stood in the request line."""
    fields: Fields
    body: bytes | None
    """None: the client has not sent the body yet; it follows in chunks, on credit."""


class TargetPolicy(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The policy of a target: base URL, timeouts in seconds, and limits. A body limit of 0 bytes means no limit."""

    base_url: str
    connect_timeout_seconds: float
    timeout_seconds: float
    max_body_bytes: int


class SlotTimes(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How long a request had its slot, in microseconds: durations, because the clocks of two machines do not agree."""

    until_sent: Microseconds
    """Until the worker sent this."""
    until_head: Microseconds | None = None
    """Until the head of the target's response had come; None if it has not."""


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="reply"):
    """A whole response of the target."""

    status: FinalStatus
    fields: Fields
    body: bytes
    http_version: HttpVersion = "1.1"
    """The version of the target's response, for Via."""
    times: SlotTimes | None = None
    """None: a worker of an earlier release does not say them."""
