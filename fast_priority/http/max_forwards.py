"""Max-Forwards: how many intermediaries may still pass a TRACE or an OPTIONS on (RFC 9110, section 7.6.2).

At 0 the one that has the request answers it, so that a client can ask each on the way in turn. The RFC gives no meaning
to the field on other methods, nor to one that is not a single whole number: those pass unchanged.
"""

import re
from http import HTTPStatus

from fast_priority.http.fields import has_body
from fast_priority.http.head import head
from fast_priority.http.message import Fields, Reply

_MAX_FORWARDS = b"max-forwards"
_COUNTED = frozenset({"OPTIONS", "TRACE"})
_MOST_DIGITS = 9
_MOST_FORWARDS = 10**_MOST_DIGITS - 1  # more are lowered to it, as the RFC says of a largest supported value
# A reflected request must not give away what the client's own programs keep from its scripts (RFC 9110, section 9.3.8).
_SECRET = re.compile(rb"(?i)auth|cookie|credential|key|pass|secret|session|signature|token")


def ends_here(method: str, fields: Fields) -> bool:
    """Tell whether the gateway has to answer the request itself."""
    return _forwards_left(method, fields) == 0


def counted_down(method: str, fields: Fields) -> Fields:
    """Give the fields with one forward less, where forwards are counted."""
    left = _forwards_left(method, fields)
    if left is None:
        return fields
    return [(name, b"%d" % (left - 1) if name.lower() == _MAX_FORWARDS else value) for name, value in fields]


def answer_as_last(method: str, raw_target: bytes, fields: Fields, http_version: str, date: str) -> Reply:
    """Answer a request that ends here: TRACE with its own head less what may be secret, OPTIONS with no body.

    `date` is the time now as HTTP writes it.
    """
    own = [(b"date", date.encode())]
    if has_body(fields):
        own.append((b"connection", b"close"))  # nobody reads the body, so nothing can follow it
    if method != "TRACE":
        return Reply(HTTPStatus.OK, own, b"")
    request_line = b"%s %s HTTP/%s" % (method.encode(), raw_target, http_version.encode())
    reflected = head(request_line, [field for field in fields if not _SECRET.search(field[0])])
    return Reply(HTTPStatus.OK, [(b"content-type", b"message/http"), *own], reflected)


def _forwards_left(method: str, fields: Fields) -> int | None:
    """Give the number in Max-Forwards; None where it counts nothing."""
    if method not in _COUNTED:
        return None
    values = [value for name, value in fields if name.lower() == _MAX_FORWARDS]
    if len(values) != 1 or not values[0].isdigit():
        return None
    digits = values[0].lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= _MOST_DIGITS else _MOST_FORWARDS + 1
