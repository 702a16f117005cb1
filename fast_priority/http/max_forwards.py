"""Max-Forwards: how many more intermediaries may forward a TRACE or an OPTIONS (RFC 9110, section 7.6.2).

At 0 the intermediary that has the request answers it itself, so that a client can ask each of them in turn. On other
methods the RFC gives the field no meaning, and none to a value that is not a single whole number: those pass unchanged.
"""

import re
from http import HTTPStatus

from fast_priority.http.fields import has_body
from fast_priority.http.head import head
from fast_priority.http.message import Fields, Reply

_MAX_FORWARDS = b"max-forwards"
_COUNTED = frozenset({"OPTIONS", "TRACE"})
_MOST_DIGITS = 9
_MOST_FORWARDS = 10**_MOST_DIGITS - 1  # larger values are lowered to it, as the RFC allows
# A reflected request must not show scripts what their browser keeps from them (RFC 9110, section 9.3.8).
_SECRET = re.compile(rb"(?i)auth|cookie|credential|key|pass|secret|session|signature|token")


def ends_here(method: str, fields: Fields) -> bool:
    """Return whether the gateway has to answer the request itself."""
    return _forwards_left(method, fields) == 0


def counted_down(method: str, fields: Fields) -> Fields:
    """Return the fields with a Max-Forwards that is lower by 1, if the request has one that counts."""
    left = _forwards_left(method, fields)
    if left is None:
        return fields
    return [(name, b"%d" % (left - 1) if name.lower() == _MAX_FORWARDS else value) for name, value in fields]


def answer_as_last(method: str, raw_target: bytes, fields: Fields, http_version: str, date: bytes) -> Reply:
    """Return the response to a request that ends here: to TRACE its own head without secrets, to OPTIONS no body.

    `date` is the present time as an HTTP date.
    """
    own = [(b"date", date)]
    if has_body(fields):
        own.append((b"connection", b"close"))  # the body is not read, so no request can follow it
    if method != "TRACE":
        return Reply(HTTPStatus.OK, own, b"")
    request_line = b"%s %s HTTP/%s" % (method.encode(), raw_target, http_version.encode())
    reflected = head(request_line, [field for field in fields if not _SECRET.search(field[0])])
    return Reply(HTTPStatus.OK, [(b"content-type", b"message/http"), *own], reflected)


def _forwards_left(method: str, fields: Fields) -> int | None:
    """Return the number in Max-Forwards; None if it has no meaning."""
    if method not in _COUNTED:
        return None
    values = [value for name, value in fields if name.lower() == _MAX_FORWARDS]
    if len(values) != 1 or not values[0].isdigit():
        return None
    digits = values[0].lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= _MOST_DIGITS else _MOST_FORWARDS + 1
