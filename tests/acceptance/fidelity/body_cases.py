"""Bodies of requests arrive whole and unchanged, and a client that expects 100 Continue gets it (RFC 9110, 10.1.1)."""

from tests.acceptance.fidelity.case import FINE, Case, Group, Judge, Seen, Verdict
from tests.acceptance.fidelity.judges import (
    answered,
    answered_each,
    either,
    everything,
    kept,
    nothing_at_the_target,
    noting,
    refused,
    refused_on_the_way,
    requests,
    target_body,
    target_has,
    target_lacks,
)
from tests.acceptance.fidelity.limits import MAX_BODY_BYTES
from tests.acceptance.fidelity.wire import CHUNKED, OK, answer, chunks, request, sized

_BINARY = bytes(range(256)) * 1024
_EXPECT = b"Expect: 100-continue"
_GO_AHEAD = 100


def _go_aheads(count: int) -> Judge:
    def judge(seen: Seen) -> Verdict:
        got = seen.interim_statuses.count(_GO_AHEAD)
        return FINE if got == count else Verdict(False, "sent 100 Continue" if got else "no 100 Continue")

    return judge


def _arrives(body: bytes) -> Judge:
    return everything(target_body(body), answered(200), kept)


def _sent(name: str, body: bytes, *lines: bytes, method: bytes = b"POST", arrives: bytes | None = None) -> Case:
    judge = _arrives(body if arrives is None else arrives)
    return Case(name, (request(*lines, method=method, body=body),), (OK,), judge)


def _taken_or_refused(seen: Seen) -> str:
    return "taken" if seen.requests else "refused"


def _in_order(seen: Seen) -> Verdict:
    bodies = [response.body for response in seen.responses]
    return FINE if bodies == [b"first", b"second"] else Verdict(False, "answered out of order")


GROUP = Group(
    "Bodies of requests",
    "A body arrives whole, whatever its bytes and its framing, and a client that waits for a go-ahead gets one.",
    (
        Case(
            "none, and then none is announced",
            (request(),),
            (OK,),
            everything(target_body(b""), target_lacks("Content-Length", "Transfer-Encoding"), answered(200), kept),
        ),
        Case(
            "empty, and its `Content-Length: 0`",
            (request(sized(b""), method=b"POST"),),
            (OK,),
            everything(_arrives(b""), target_has("Content-Length", b"0")),
        ),
        _sent("of every byte value, 256 KiB", _BINARY, sized(_BINARY)),
        _sent("that looks like a request", request(to=b"/smuggled"), sized(request(to=b"/smuggled"))),
        _sent("in chunks", chunks(b"one,", b"two,", b"three"), CHUNKED, arrives=b"one,two,three"),
        _sent("in chunks, of every byte value", chunks(_BINARY, _BINARY), CHUNKED, arrives=_BINARY * 2),
        _sent("in chunks, none", chunks(), CHUNKED, arrives=b""),
        _sent(
            "in chunks with extensions", b'3;a=b\r\none\r\n3;c="d;e"\r\ntwo\r\n0\r\n\r\n', CHUNKED, arrives=b"onetwo"
        ),
        _sent("of a GET", b"abc", sized(b"abc"), method=b"GET"),
        _sent("of a GET, in chunks", chunks(b"abc"), CHUNKED, method=b"GET", arrives=b"abc"),
        _sent("of a DELETE", b"abc", sized(b"abc"), method=b"DELETE"),
        Case(
            "whose trailers never become fields",
            (
                request(
                    CHUNKED,
                    b"Trailer: X-User",
                    method=b"POST",
                    body=chunks(b"abc", trailers=(b"X-User: admin", b"X-User: root")),
                ),
            ),
            (OK,),
            everything(_arrives(b"abc"), target_lacks("X-User")),
        ),
        Case(
            "whose trailers would change its length: refused, or taken without them",
            (request(CHUNKED, method=b"POST", body=chunks(b"abc", trailers=(b"Content-Length: 9",))),),
            (OK,),
            noting(_taken_or_refused, either(_arrives(b"abc"), refused_on_the_way())),
        ),
        _sent("in chunks, the coding in capitals", chunks(b"abc"), b"Transfer-Encoding: CHUNKED", arrives=b"abc"),
        Case(
            "in chunks, tabs around the coding: taken, or refused",
            (request(b"Transfer-Encoding:\tchunked\t", method=b"POST", body=chunks(b"abc")),),
            (OK,),
            noting(_taken_or_refused, either(_arrives(b"abc"), refused())),
        ),
        Case(
            "`Expect: 100-continue`: a 100, then the response",
            (request(_EXPECT, sized(b"abc"), method=b"POST"),),
            (OK,),
            everything(_arrives(b"abc"), _go_aheads(1)),
            body_on_continue=b"abc",
        ),
        Case(
            "`Expect: 100-continue` in chunks",
            (request(_EXPECT, CHUNKED, method=b"PUT"),),
            (OK,),
            everything(_arrives(b"abc"), _go_aheads(1)),
            body_on_continue=chunks(b"abc"),
        ),
        Case(
            "`Expect: 100-continue`, and more than is taken: 413, and no 100",
            (request(_EXPECT, b"Content-Length: %d" % (MAX_BODY_BYTES + 1), method=b"POST"),),
            (OK,),
            everything(nothing_at_the_target, answered(413), _go_aheads(0)),
        ),
        Case(
            "`Expect: 100-continue` of an HTTP/1.0 client is not heard",
            (request(_EXPECT, sized(b"abc"), method=b"POST", version=b"HTTP/1.0", body=b"abc"),),
            (OK,),
            everything(target_body(b"abc"), answered(200), _go_aheads(0)),
        ),
        Case(
            "two requests at once on one connection: both answered, in order",
            (request(sized(b"abc"), method=b"POST", body=b"abc") + request(to=b"/y"),),
            (answer(body=b"first"), answer(body=b"second")),
            everything(requests(2), answered_each(200, 200), _in_order, kept),
        ),
    ),
)
