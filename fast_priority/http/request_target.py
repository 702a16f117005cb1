"""The target of a request: as a client's request line names it, and as it is sent on (RFC 9112, section 3.2).

To its clients a gateway is the origin server. So it takes the absolute form too, and uses the host named there, not the
Host field (section 3.2.2). It refuses only the authority form, which is for CONNECT.
"""

import re
from dataclasses import dataclass

from fast_priority.errors import MalformedRequest
from fast_priority.http.message import Fields
from fast_priority.scheduling.path_readings import climbs

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


class TargetPath:
    """The path of a base URL, below which requests are sent."""

    def __init__(self, base_path: str) -> None:
        self._base = _quoted(base_path.encode()).rstrip(b"/") + b"/"

    def check(self, raw_target: bytes) -> None:
        """Raise MalformedRequest for a target that some servers read as one above the base path.

        Without a base path there is nothing above it.
        """
        if self._base == b"/":
            return
        path = b"/" + raw_target.partition(b"?")[0].removeprefix(b"/")
        if climbs(path.decode("latin-1")):
            raise MalformedRequest("its path may lead above the path of the target's base URL")

    def below(self, raw_target: bytes) -> bytes:
        """Return the target for the request line: the base path, one slash, and the rest as the client wrote it.

        A request line is ASCII (RFC 9112, section 3.2), so other bytes are percent-encoded. `*` stays as it is.
        Raises MalformedRequest as `check` does: a request from Redis may be forged.
        """
        if raw_target == b"*":
            return raw_target
        self.check(raw_target)
        return self._base + _quoted(raw_target).removeprefix(b"/")


def _quoted(octets: bytes) -> bytes:
    if octets.isascii():
        return octets
    return b"".join([b"%c" % octet if octet < 0x80 else b"%%%02X" % octet for octet in octets])
