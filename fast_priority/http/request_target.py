"""The target of a request, as a request line may name it (RFC 9112, section 3.2).

A gateway is the origin server as its clients see it, so it takes the absolute form too, and believes the host named
there, not the Host field (section 3.2.2). Only the authority form, which is CONNECT's, means nothing to it.
"""

import re
from dataclasses import dataclass

from fast_priority.errors import MalformedRequest
from fast_priority.http.message import Fields

ASTERISK = b"*"
_ABSOLUTE = re.compile(rb"(?i)https?://([^/?#]*)(.*)")


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """What a request asks for, in origin form, and the host that its request line names, if it names one."""

    raw: bytes
    """Path, and `?` with the query even if that is empty, as they stood there; `*` for the server as a whole."""
    authority: bytes | None = None

    @property
    def raw_path(self) -> bytes:
        """The path as it stood there."""
        return self.raw.partition(b"?")[0]

    def with_its_host(self, fields: Fields) -> Fields:
        """Give the request's fields with the host that the request line names, where it names one."""
        authority = self.authority
        if authority is None:
            return fields
        return [(name, authority if name.lower() == b"host" else value) for name, value in fields]


def read_request_target(method: bytes, written: bytes) -> RequestTarget:
    """Read it from a request line. Raises MalformedRequest for what is no target of a resource here."""
    if b"#" in written:
        raise MalformedRequest("a request's target has no fragment")
    if written.startswith(b"/"):
        return RequestTarget(written)
    if written == ASTERISK and method == b"OPTIONS":
        return RequestTarget(written)
    if not (absolute := _ABSOLUTE.fullmatch(written)):
        raise MalformedRequest("a request's target is a path, or an http or https URL")
    authority, path = absolute.groups()
    if not authority or b"@" in authority:
        raise MalformedRequest("a request's target names a host, and no user")
    if not path and method == b"OPTIONS":
        return RequestTarget(ASTERISK, authority)
    return RequestTarget(path if path.startswith(b"/") else b"/" + path, authority)
