"""The target of a request, as a client's request line names it (RFC 9112, section 3.2).

To its clients a gateway is the origin server. So it takes the absolute form too, and uses the host named there, not the
Host field (section 3.2.2). It refuses only the authority form, which is for CONNECT.
"""

import re
from dataclasses import dataclass

from fast_priority.errors import MalformedRequest
from fast_priority.http.message import Fields

ASTERISK = b"*"
_ABSOLUTE = re.compile(rb"(?i)https?://([^/?#]*)(.*)")


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """The target in origin form, and the host in the request line, if there is one."""

    raw: bytes
    """Path, and `?` with the query even if that is empty, as they were sent; `*` for the server as a whole."""
    authority: bytes | None = None

    @property
    def raw_path(self) -> bytes:
        """Return the path as it was sent."""
        return self.raw.partition(b"?")[0]

    def with_its_host(self, fields: Fields) -> Fields:
        """Return the request's fields with the host of the request line, if there is one, in Host."""
        authority = self.authority
        if authority is None:
            return fields
        return [(name, authority if name.lower() == b"host" else value) for name, value in fields]


def read_request_target(method: bytes, written: bytes) -> RequestTarget:
    """Return the target that was written in a request line. Raises MalformedRequest if it names no resource here."""
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
