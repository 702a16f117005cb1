"""The field rules of an intermediary, as pure functions.

RFC 9110, section 7.6.1: fields that concern one connection, and those named in `Connection`, end there.
RFC 9110, section 6.5.1: so does the trailer section, in both directions, and TE, which would ask the target for one.
RFC 9112, section 6: a message whose length can be read two ways is never forwarded.
"""

import re

from fast_priority.errors import MalformedRequest, TargetError
from fast_priority.http.limits import MOST_LENGTH_DIGITS
from fast_priority.http.memo import memoized, split_at_own
from fast_priority.http.message import Fields, Request

_FRAMING = (b"content-length", b"transfer-encoding")
_STATUSES_WITHOUT_BODY = frozenset({204, 304})
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_FOR_THE_TARGET = HOP_BY_HOP | {
    b"host",  # the target's own is sent, or the client's is added by `forwarding`
    b"expect",  # the gateway itself answers it, with 100 Continue
}
_BLANKS = b" \t"  # the only white space allowed around a value (RFC 9110, section 5.6.3)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_IN_NO_TOKEN = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z\n]")  # of several tokens, one a line
_NEVER_QUEUED = _NOT_FOR_THE_TARGET - {b"host"}  # a gateway may have put the client's there
# uri-host [ ":" port ] (RFC 9110, section 7.2; RFC 3986, section 3.2.2), or nothing.
_HOST = re.compile(rb"(\[[0-9A-Za-z:.\-_~!$&'()*+,;=]+\]|([0-9A-Za-z\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(:[0-9]*)?")
_REQUEST_TARGET = re.compile(rb"[^\x00-\x20\x7f]+")  # a blank would end it
_FORBIDDEN_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def end_to_end_request_fields(fields: Fields) -> Fields:
    """Return the fields for the target, in order. Raises MalformedRequest for one that cannot be sent unchanged."""
    kept = _without(fields, _NOT_FOR_THE_TARGET)
    check_sendable(kept)
    return kept


def end_to_end_response_fields(fields: Fields) -> Fields:
    """Return the fields for the client, in order, one for each line."""
    return _without(fields, HOP_BY_HOP)


def check_request_framing(method: str, fields: Fields, *, http_version: str) -> None:
    """Raise MalformedRequest unless the request has one Host and a length that can be read in one way only.

    RFC 9112, sections 3.2 (Host), 6.1 (Transfer-Encoding) and 6.3 (message body length). The HTTP parser has accepted
    the message; this refuses every request that another parser could read differently.
    """
    hosts, lengths, codings = [], [], []
    for name, value in fields:
        lowered = name.lower()
        if lowered == b"host":
            hosts.append(value)
        elif lowered == b"content-length":
            lengths.append(value)
        elif lowered == b"transfer-encoding":
            codings.append(value)
    if len(hosts) > 1 or (not hosts and http_version not in ("1.0", "2")):
        raise MalformedRequest(f"a request carries exactly one Host field, this one {len(hosts)}")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise MalformedRequest("the Host field names no host")
    if codings and (lengths or http_version == "1.0"):
        raise MalformedRequest("Transfer-Encoding together with Content-Length, or in HTTP/1.0, is ambiguous")
    if codings and [coding.strip(_BLANKS).lower() for coding in codings] != [b"chunked"]:
        raise MalformedRequest("the only accepted transfer coding is 'chunked', once")
    if len(lengths) > 1 or any(not length.isdigit() or len(length) > MOST_LENGTH_DIGITS for length in lengths):
        raise MalformedRequest("a request carries at most one Content-Length, and it is a whole number")
    if method == "CONNECT":
        raise MalformedRequest("CONNECT asks for a tunnel; this gateway forwards requests")


def check_sendable(fields: Fields) -> None:
    """Raise MalformedRequest for a name that is no token or a value with controls: they cannot be sent unchanged."""
    if _names_if_sendable(fields) is not None:
        return  # the usual case; otherwise find the field to be named
    for name, value in fields:
        if not is_token(name) or _FORBIDDEN_IN_VALUE.search(value):
            raise MalformedRequest(f"the field {name[:40]!r} has a character that is not allowed in fields")


def check_response_framing(fields: Fields, most_bytes: int) -> None:
    """Raise TargetError for a body that could be read in two ways, or for fields of more than `most_bytes`.

    `fields` are all fields of the response. A target may use no coding besides `chunked`, since the request had no TE
    (RFC 9112, section 7.4).
    """
    if sum(len(name) + len(value) for name, value in fields) > most_bytes:
        raise TargetError(f"its fields have more than {most_bytes} bytes")
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if codings and [coding.strip(_BLANKS).lower() for coding in codings] != [b"chunked"]:
        raise TargetError("its body has a transfer coding that was not requested")


def check_response_head(status: int, fields: Fields) -> None:
    """Raise TargetError for a head that cannot be sent to a client: no final status, or a value with controls."""
    if not 200 <= status <= 599:
        raise TargetError(f"its status {status} is not that of a final response")
    check_response_fields(fields)


def check_response_fields(fields: Fields) -> None:
    """Raise TargetError for a field that no client can be sent: its name is no token, or its value has controls."""
    for name, value in fields:
        if not is_token(name) or _FORBIDDEN_IN_VALUE.search(value):
            raise TargetError(f"its field {name[:40]!r} has a character that is not allowed in fields")


def check_relayed_response(status: int, fields: Fields, most_bytes: int) -> None:
    """Raise TargetError for a head that a worker cannot have sent, since its own checks refuse it.

    It comes from Redis: a party that can write there must not be able to write to clients' connections as well.
    """
    names = _names_if_sendable(fields)
    if names is None or not 200 <= status <= 599:
        check_response_head(status, fields)
    names = names or []
    if not HOP_BY_HOP.isdisjoint(names):
        raise TargetError("it has a field that ends with the connection it came on")
    if sum([len(name) + len(value) for name, value in fields]) > most_bytes:
        raise TargetError(f"its fields have more than {most_bytes} bytes")
    if b"content-length" in names and not _has_one_length_at_most(fields):
        raise TargetError("its Content-Length is not one whole number")


def check_queued_request(request: Request) -> None:
    """Raise MalformedRequest for a request that a gateway cannot have queued: it comes from Redis, and may be forged.

    It could end earlier or later for the target than for us, so that another client's request became its body.
    """
    if not is_token(request.method.encode()) or request.method == "CONNECT":
        raise MalformedRequest("its method is not valid")
    if not _REQUEST_TARGET.fullmatch(request.raw_target):
        raise MalformedRequest("its target has a character that is not allowed in a request line")
    repeated, own = split_at_own(request.fields)
    check_sendable(own)
    length = _length_in_queued(repeated)
    if length is not None and request.body is not None and length != len(request.body):
        raise MalformedRequest("its body is not as long as its Content-Length")


@memoized
def _length_in_queued(fields: Fields) -> int | None:
    names = _names_if_sendable(fields)
    if names is None:
        check_sendable(fields)
    names = names or []
    if not _NEVER_QUEUED.isdisjoint(names):
        raise MalformedRequest("it has a field that ends with the connection it came on")
    if b"host" in names and (names.count(b"host") > 1 or not _HOST.fullmatch(host_of(fields))):
        raise MalformedRequest("its Host is not that of one host")
    if b"content-length" in names and not _has_one_length_at_most(fields):
        raise MalformedRequest("its Content-Length is not one whole number")
    return content_length(fields)


def host_of(fields: Fields) -> bytes:
    """Return the value of Host, with its port if it has one; empty if there is none."""
    return next((value for name, value in fields if name.lower() == b"host"), b"")


def is_token(octets: bytes) -> bool:
    """Return whether this is a token (RFC 9110, section 5.6.2), as the names of fields are."""
    return _TOKEN.fullmatch(octets) is not None


def content_length(fields: Fields) -> int | None:
    """Return the Content-Length in bytes; None if there is none. The framing must have been checked before."""
    for name, value in fields:
        if name.lower() == b"content-length":
            return int(value)
    return None


def _names_if_sendable(fields: Fields) -> list[bytes] | None:
    """Return the names in lower case, in order; None if one is no token, or a value has controls.

    All are checked together, in a few calls whose number does not grow with the number of fields.
    """
    if not fields:
        return []
    lines = b"\n".join([name for name, _ in fields])
    names = lines.lower().split(b"\n")
    if len(names) != len(fields) or b"" in names or _IN_NO_TOKEN.search(lines):
        return None
    return None if _FORBIDDEN_IN_VALUE.search(b"".join([value for _, value in fields])) else names


def _has_one_length_at_most(fields: Fields) -> bool:
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    return len(lengths) < 2 and all(value.isdigit() and len(value) <= MOST_LENGTH_DIGITS for value in lengths)


def may_have_body(method: str, status: int) -> bool:
    """Return whether a response with this status to a request with this method has a body (RFC 9112, section 6.3)."""
    return method != "HEAD" and status not in _STATUSES_WITHOUT_BODY


def has_body(fields: Fields) -> bool:
    """Return whether a request with these fields has a body of one byte or more (RFC 9112, section 6.3)."""
    framing = {name.lower(): value for name, value in fields if name.lower() in _FRAMING}
    return b"transfer-encoding" in framing or bool(framing.get(b"content-length", b"").strip(b"0"))


def expects_continue(fields: Fields, http_version: str) -> bool:
    """Return whether the client waits for 100 Continue before it sends the body (RFC 9110, section 10.1.1)."""
    is_asked_for = any(name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in fields)
    return is_asked_for and http_version != "1.0"  # in which there is no 100


def asks_for_websocket(fields: Fields) -> bool:
    """Return whether a request with these fields asks for a WebSocket (RFC 6455, section 4.1) and has no body."""
    named = {
        (name.lower(), token.strip(_BLANKS).lower())
        for name, value in fields
        if name.lower() in (b"connection", b"upgrade")
        for token in value.split(b",")
    }
    return {(b"connection", b"upgrade"), (b"upgrade", b"websocket")} <= named and not has_body(fields)


def without_websocket_fields(fields: Fields) -> Fields:
    """Return the fields without those of a WebSocket's handshake that are not hop-by-hop (RFC 6455, section 11.3)."""
    return [field for field in fields if not field[0].lower().startswith(b"sec-websocket-")]


def _without(fields: Fields, dropped: frozenset[bytes]) -> Fields:
    named = {
        token.strip(_BLANKS).lower()
        for name, value in fields
        if name.lower() == b"connection"
        for token in value.split(b",")
    }
    dropped = dropped | named if named else dropped
    return [(name, value) for name, value in fields if name.lower() not in dropped]
