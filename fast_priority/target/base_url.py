"""The path of a target's base URL: every request is sent below it, and none above it."""

from fast_priority.errors import MalformedRequest
from fast_priority.scheduling.path_readings import climbs


class BaseUrlPath:
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
