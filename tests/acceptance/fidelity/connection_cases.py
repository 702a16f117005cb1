"""Fields that concern one connection end there (RFC 9110, section 7.6.1)."""

from tests.acceptance.fidelity.case import Case, Group
from tests.acceptance.fidelity.judges import (
    answered,
    client_body,
    client_has,
    client_lacks,
    everything,
    kept,
    requests,
    target_body,
    target_has,
    target_lacks,
)
from tests.acceptance.fidelity.wire import CHUNKED, HOST, OK, answer, bare_answer, chunks, request, sized

_REQUEST_FIELDS = {
    "Keep-Alive": b"timeout=9, max=99",
    "Proxy-Connection": b"keep-alive",
    "TE": b"trailers",
    "Trailer": b"X-Checksum",
    "Upgrade": b"h2c",
    "Proxy-Authenticate": b"Basic",
    "Proxy-Authorization": b"Basic eDp5",
}
_RESPONSE_FIELDS = {**_REQUEST_FIELDS, "Proxy-Authenticate": b'Basic realm="x"'}

_NAMINGS = {
    "one Connection field": (b"Connection: x-private, X-Other",),
    "several Connection fields": (b"Connection: x-private", b"Connection: x-other"),
    "Connection fields with empty members": (b"Connection: ,", b"Connection:", b"Connection: ,X-PRIVATE,, ,x-other,"),
}
_NAMED = (b"X-Private: 1", b"x-other: 2", b"X-Stays: 3")


def _field_in_a_request(name: str, value: bytes) -> Case:
    return Case(
        f"request: `{name}`",
        (request(b"%s: %s" % (name.encode(), value), b"X-Stays: 3"),),
        (OK,),
        everything(target_lacks(name), target_has("X-Stays", b"3"), answered(200)),
    )


def _field_in_a_response(name: str, value: bytes) -> Case:
    return Case(
        f"response: `{name}`",
        (request(),),
        (answer(b"%s: %s" % (name.encode(), value), b"X-Stays: 3"),),
        everything(answered(200), client_lacks(name), client_has("X-Stays", b"3"), client_body(b"ok")),
    )


def _named_in_a_request(how: str, lines: tuple[bytes, ...]) -> Case:
    return Case(
        f"request: fields named in {how}",
        (request(*lines, *_NAMED),),
        (OK,),
        everything(target_lacks("X-Private", "X-Other"), target_has("X-Stays", b"3"), answered(200)),
    )


def _named_in_a_response(how: str, lines: tuple[bytes, ...]) -> Case:
    return Case(
        f"response: fields named in {how}",
        (request(),),
        (answer(*lines, *_NAMED),),
        everything(answered(200), client_lacks("X-Private", "X-Other"), client_has("X-Stays", b"3")),
    )


_MISUSES = (
    Case(
        "request: Connection names Content-Length; the body still arrives, as one request",
        (request(b"Connection: content-length", sized(b"abc"), method=b"POST", body=b"abc"),),
        (OK,),
        everything(requests(1), target_body(b"abc"), answered(200)),
    ),
    Case(
        "request: Connection names Host; the target still gets one",
        (request(b"Connection: host"),),
        (OK,),
        everything(answered(200), requests(1), lambda seen: target_has("Host", seen.target_authority)(seen)),
    ),
    Case(
        "request: Connection names X-Forwarded-For and Forwarded; what the gateway says of the client stays",
        (request(b"Connection: x-forwarded-for, forwarded, x-forwarded-host, via"),),
        (OK,),
        everything(answered(200), target_has("X-Forwarded-For", b"127.0.0.1"), target_has("X-Forwarded-Host", HOST)),
    ),
    Case(
        "response: Connection names Content-Length; the body still arrives",
        (request(),),
        (answer(b"Connection: content-length"),),
        everything(answered(200), client_body(b"ok")),
    ),
    Case(
        "response: `Connection: close` of the target closes nothing of the client's",
        (request(),),
        (bare_answer(b"Connection: close", CHUNKED, body=chunks(b"ok"), closes=True),),
        everything(answered(200), client_body(b"ok"), kept),
    ),
)

GROUP = Group(
    "Fields of one connection",
    "Fields that concern one connection, and those that `Connection` names, end there; all others go on.",
    (
        *(_field_in_a_request(name, value) for name, value in _REQUEST_FIELDS.items()),
        *(_named_in_a_request(how, lines) for how, lines in _NAMINGS.items()),
        *(_field_in_a_response(name, value) for name, value in _RESPONSE_FIELDS.items()),
        *(_named_in_a_response(how, lines) for how, lines in _NAMINGS.items()),
        *_MISUSES,
    ),
)
