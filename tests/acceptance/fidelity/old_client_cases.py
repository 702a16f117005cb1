"""Clients of HTTP/1.0: no chunks, no interim responses, no Host needed (RFC 9110, 15.2; RFC 9112, 3.2)."""

from tests.acceptance.fidelity.case import FINE, Answer, Case, Group, Seen, Verdict
from tests.acceptance.fidelity.judges import (
    answered,
    client_body,
    client_lacks,
    closed,
    everything,
    noting,
    refused,
    target_body,
    target_line,
)
from tests.acceptance.fidelity.wire import CHUNKED, OK, answer, bare_answer, chunks, message, request, sized

_OLD = b"HTTP/1.0"
_TOLD_PLAINLY = everything(answered(200), client_lacks("Transfer-Encoding"))


def _no_interim(seen: Seen) -> Verdict:
    return FINE if not seen.interim_statuses else Verdict(False, f"sent {seen.interim_statuses[0]}")


def _ending(seen: Seen) -> str:
    return seen.ending


GROUP = Group(
    "HTTP/1.0 clients",
    "They are answered in what they know: lengths, or the end of the connection.",
    (
        Case(
            "without Host",
            (message(b"GET /x HTTP/1.0"),),
            (OK,),
            everything(target_line(b"GET", b"/x"), _TOLD_PLAINLY, client_body(b"ok"), closed),
        ),
        Case("with Host", (request(version=_OLD),), (OK,), everything(_TOLD_PLAINLY, client_body(b"ok"), closed)),
        Case(
            "that ask for the connection to be kept",
            (request(b"Connection: keep-alive", version=_OLD),),
            (OK,),
            noting(_ending, everything(_TOLD_PLAINLY, client_body(b"ok"))),
        ),
        Case(
            "with a body",
            (request(sized(b"abc"), method=b"POST", version=_OLD, body=b"abc"),),
            (OK,),
            everything(target_body(b"abc"), _TOLD_PLAINLY, client_body(b"ok"), closed),
        ),
        Case(
            "a chunked response is given without chunks",
            (request(version=_OLD),),
            (bare_answer(CHUNKED, body=chunks(b"one,", b"two")),),
            everything(_TOLD_PLAINLY, client_body(b"one,two"), closed),
        ),
        Case(
            "interim responses are not for them",
            (request(version=_OLD),),
            (Answer(message(b"HTTP/1.1 103 Early Hints", b"Link: </a>") + answer().data),),
            everything(_TOLD_PLAINLY, _no_interim, client_body(b"ok"), closed),
        ),
        Case(
            "chunks of theirs are refused",
            (request(CHUNKED, method=b"POST", version=_OLD, body=chunks(b"abc")),),
            (OK,),
            refused(),
        ),
    ),
)
