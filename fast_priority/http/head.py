"""The head of a request to the target, as bytes: everything in it comes from the caller, and nothing is added.

RFC 9112, sections 3 and 5: a request line and field lines. What would end one of them early, or begin another, is
refused here, however it came this far.
"""

from fast_priority.errors import MalformedRequest
from fast_priority.http.memo import memoized
from fast_priority.http.message import Fields
from fast_priority.scheduling.path_readings import climbs

# All controls but the tab, which a field value may have (RFC 9110, section 5.5).
_CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
_WORDS_OF_A_REQUEST_LINE = 3
_BLANKS_OF_A_REQUEST_LINE = 2


def request_head(method: str, target: bytes, host: bytes, fields: Fields) -> bytes:
    """Give the head of a request for `target`: its line, `Host`, and the fields, one for one, with their bytes.

    Raises MalformedRequest for what cannot be sent unchanged.
    """
    if not method.isascii():
        raise MalformedRequest("its method is not ASCII")
    line = b"%s %s HTTP/1.1" % (method.encode(), target)
    if line.count(b" ") != _BLANKS_OF_A_REQUEST_LINE or len(line.split()) != _WORDS_OF_A_REQUEST_LINE:
        raise MalformedRequest("its method or its target has a blank")
    _check_has_no_controls(line)
    return b"%s\r\n%s" % (line, _field_lines(fields, host))


@memoized
def _field_lines(fields: Fields, host: bytes) -> bytes:
    if not b"".join([name for name, _ in fields]).isascii():
        raise MalformedRequest("the name of one of its fields is not ASCII")
    lines = [b"Host: " + host, *[name + b": " + value for name, value in fields]]
    _check_has_no_controls(b"".join(lines))
    return b"\r\n".join([*lines, b"", b""])


def _check_has_no_controls(octets: bytes) -> None:
    if len(octets.translate(None, _CONTROLS)) != len(octets):
        raise MalformedRequest("it has a control character")


class TargetPath:
    """Where requests go below the path of a base URL."""

    def __init__(self, base_path: str) -> None:
        self._base = _quoted(base_path.encode()).rstrip(b"/") + b"/"

    def check(self, raw_target: bytes) -> None:
        """Raise MalformedRequest for a target that some server takes for one above the base path.

        Without a base path there is nothing above it.
        """
        if self._base == b"/":
            return
        path = b"/" + raw_target.partition(b"?")[0].removeprefix(b"/")
        if climbs(path.decode("latin-1")):
            raise MalformedRequest("its path may lead above the path of the target's base URL")

    def below(self, raw_target: bytes) -> bytes:
        """Return the target of a request line: the base path, one slash, and the rest as the client wrote it.

        A request line is ASCII (RFC 9112, section 3.2), so what is not goes percent-encoded. `*` stays alone.
        Raises MalformedRequest as `check` does: a request that comes by way of Redis may be forged.
        """
        if raw_target == b"*":
            return raw_target
        self.check(raw_target)
        return self._base + _quoted(raw_target).removeprefix(b"/")


def _quoted(octets: bytes) -> bytes:
    if octets.isascii():
        return octets
    return b"".join([b"%c" % octet if octet < 0x80 else b"%%%02X" % octet for octet in octets])
