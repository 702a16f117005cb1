"""The request line: the method and the request target arrive as they were written (RFC 9112, section 3)."""

from tests.acceptance.fidelity.case import Case, Group, Judge
from tests.acceptance.fidelity.judges import (
    answered,
    either,
    everything,
    nothing_at_the_target,
    noting,
    refused,
    target_body,
    target_line,
)
from tests.acceptance.fidelity.wire import OK, answer, message, request, sized

_VERBATIM = {
    "an encoded slash": b"/a%2Fb/%2f",
    "an encoded path with a query": b"/%7Euser/%41?%3d=%26",
    "doubled slashes": b"/a//b//",
    "a leading double slash": b"//evil/x",
    "a dot segment": b"/a/./b",
    "a double-dot segment": b"/a/../b",
    "double dots at the root": b"/../../x",
    "encoded double dots": b"/a/%2e%2e/b",
    "encoded bytes that are not UTF-8": b"/%c3%28",
    "a semicolon": b"/a;v=1/b;w",
    "a percent sign that encodes nothing": b"/a%zz%",
    "a plus": b"/a+b?c+d",
    "a bare `?` at the end": b"/a?",
    "two `?`": b"/a??",
    "a `?` in the query": b"/a?b=c?d=e",
    "a URL in the query": b"/a?u=http://x/?y=1&z=%2F..",
    "an encoded NUL and line end": b"/a%00%0d%0ab",
    "brackets and quotes": b"/a[1]{2}|\"<>'^`\\",
    "8,000 bytes": b"/" + b"long/" * 1600,
    "a query of 8,000 bytes": b"/a?" + b"q=1&" * 2000,
    "nothing but the root": b"/",
}
_METHODS = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND", b"PURGE", b"REPORT")
_NEW_METHODS = (b"QUERY", b"FROBNICATE")


def _arrives(method: bytes, *request_targets: bytes) -> Judge:
    return everything(target_line(method, *request_targets), answered(200))


def _not_ascii(*request_targets: bytes) -> Judge:
    # A request target is ASCII; what is not may be answered with 400 (RFC 9112, section 3.2).
    return either(_arrives(b"GET", *request_targets), everything(refused(400), nothing_at_the_target))


def _verbatim(what: str, request_target: bytes) -> Case:
    return Case(f"path: {what}", (request(to=request_target),), (OK,), _arrives(b"GET", request_target))


def _method(method: bytes, judge: Judge) -> Case:
    return Case(f"method: {method.decode()}", (request(method=method),), (OK,), judge)


_FORMS = (
    Case(
        "path: bytes that are not ASCII, refused or encoded",
        (request(to=b"/caf\xc3\xa9?n=\xc3\xa9"),),
        (OK,),
        _not_ascii(b"/caf\xc3\xa9?n=\xc3\xa9", b"/caf%C3%A9?n=%C3%A9", b"/caf%c3%a9?n=%c3%a9"),
    ),
    Case(
        "path: bytes that are not UTF-8, refused or encoded",
        (request(to=b"/caf\xe9"),),
        (OK,),
        _not_ascii(b"/caf\xe9", b"/caf%E9", b"/caf%e9"),
    ),
    Case(
        "`GET http://evil/x` reaches our target only, as `/x`",
        (request(to=b"http://evil/x"),),
        (OK,),
        _arrives(b"GET", b"/x"),
    ),
    Case(
        "an absolute URL with a query, which is kept",
        (request(to=b"http://evil/x?a=/../b"),),
        (OK,),
        _arrives(b"GET", b"/x?a=/../b"),
    ),
    Case("`OPTIONS *`", (request(to=b"*", method=b"OPTIONS"),), (OK,), _arrives(b"OPTIONS", b"*")),
    Case(
        "`CONNECT host:port` opens no tunnel",
        (message(b"CONNECT evil:443 HTTP/1.1", b"Host: evil:443"),),
        (OK,),
        everything(nothing_at_the_target, answered(*range(400, 500), 501)),
    ),
    Case("a path without its slash", (request(to=b"x"),), (OK,), refused()),
    Case(
        "an absolute URL with a port out of range: refused, or the port not heeded",
        (request(to=b"http://evil:99999999/x"),),
        (OK,),
        noting(lambda seen: "not heeded" if seen.requests else "refused", either(_arrives(b"GET", b"/x"), refused())),
    ),
)

GROUP = Group(
    "Methods and paths",
    "The method, the path and the query arrive byte for byte, at our target and nowhere else.",
    (
        *(_verbatim(what, request_target) for what, request_target in _VERBATIM.items()),
        *_FORMS,
        *(_method(method, _arrives(method, b"/x")) for method in _METHODS),
        *(_method(method, either(_arrives(method, b"/x"), refused(*range(400, 500), 501))) for method in _NEW_METHODS),
        Case(
            "method: PROPFIND with a body",
            (request(b"Depth: 1", sized(b"<x/>"), method=b"PROPFIND", body=b"<x/>"),),
            (answer(status=b"207 Multi-Status"),),
            everything(target_line(b"PROPFIND", b"/x"), target_body(b"<x/>"), answered(207)),
        ),
    ),
)
