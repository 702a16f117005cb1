"""The one serializer of heads: a start line and field lines as bytes (RFC 9112, sections 3 to 5).

`request_head` writes what goes to the target, and refuses what would end a line early or begin another one. The other
functions write what has been checked before, or the gateway's own fields.
"""

from http import HTTPStatus

from fast_priority.errors import MalformedRequest
from fast_priority.http.memo import memoized, split_at_own
from fast_priority.http.message import Fields

# All controls but the tab, which a field value may have (RFC 9110, section 5.5).
_CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
_WORDS_OF_A_REQUEST_LINE = 3
_BLANKS_OF_A_REQUEST_LINE = 2


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode() for status in range(100, 600)}


def head(start_line: bytes, fields: Fields) -> bytes:
    """Return a head with this start line, and with the fields as they are."""
    return b"\r\n".join([start_line, *[name + b": " + value for name, value in fields], b"", b""])


def response_head(status: int, fields: Fields) -> bytes:
    """Return the head of a response of HTTP/1.1, with the names of its fields in lower case. Nothing is checked."""
    repeated, own = split_at_own(fields)
    return b"".join([_STATUS_LINES[status], _response_field_lines(repeated), *_lines_of(own), b"\r\n"])


def request_head(method: str, target: bytes, host: bytes, fields: Fields) -> bytes:
    """Return the head of a request: its line, Host, and the other fields, one for one, with their bytes.

    Host is the one in the fields, otherwise `host`. Raises MalformedRequest for what cannot be sent unchanged.
    """
    if not method.isascii():
        raise MalformedRequest("its method is not ASCII")
    line = b"%s %s HTTP/1.1" % (method.encode(), target)
    if line.count(b" ") != _BLANKS_OF_A_REQUEST_LINE or len(line.split()) != _WORDS_OF_A_REQUEST_LINE:
        raise MalformedRequest("its method or its target has a blank")
    _check_has_no_controls(line)
    repeated, own = split_at_own(fields)
    _check_has_no_controls(b"".join([value for _, value in own]))
    return b"".join([line, b"\r\n", _request_field_lines(repeated, host), *_lines_of(own), b"\r\n"])


@memoized
def _response_field_lines(fields: Fields) -> bytes:
    return b"".join(_lines_of(fields))


@memoized
def _request_field_lines(fields: Fields, host: bytes) -> bytes:
    if not b"".join([name for name, _ in fields]).isascii():
        raise MalformedRequest("the name of one of its fields is not ASCII")
    named = [value for name, value in fields if name.lower() == b"host"]
    if named:
        fields = [field for field in fields if field[0].lower() != b"host"]
    lines = [b"Host: " + (named[0] if named else host), *[name + b": " + value for name, value in fields]]
    _check_has_no_controls(b"".join(lines))
    return b"\r\n".join([*lines, b""])


def _lines_of(fields: Fields) -> list[bytes]:
    return [b"%b: %b\r\n" % (name.lower(), value) for name, value in fields]


def _check_has_no_controls(octets: bytes) -> None:
    if len(octets.translate(None, _CONTROLS)) != len(octets):
        raise MalformedRequest("it has a control character")
