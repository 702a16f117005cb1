"""One request of a client is one request at the target: nothing is followed, kept, or tried twice where it may harm."""

from tests.acceptance.fidelity.case import FINE, Answer, Case, Group, Judge, Seen, Verdict
from tests.acceptance.fidelity.judges import answered, answered_each, bad_gateway, client_has, everything, requests
from tests.acceptance.fidelity.wire import OK, answer, request, sized

_CLOSED = Answer(b"", closes=True)


def _redirected(status: bytes) -> Case:
    return Case(
        f"a {status.decode()} is not followed",
        (request(),),
        (answer(b"Location: /elsewhere", status=status),),
        everything(requests(1), answered(int(status[:3])), client_has("Location", b"/elsewhere")),
    )


def _second_lacks(name: str) -> Judge:
    def judge(seen: Seen) -> Verdict:
        return Verdict(False, f"{name} was sent") if seen.requests[1].values(name) else FINE

    return judge


def _closed_on(method: bytes) -> Case:
    line = sized(b"abc"), b"abc"
    sent = request(line[0], method=method, body=line[1]) if method == b"POST" else request(method=method)
    # RFC 9110, section 9.2.2: an intermediary may try an idempotent request once more, and no other.
    attempts, often = (1, "not tried again") if method == b"POST" else (2, "tried twice at most")
    return Case(
        f"{method.decode()}, on a kept connection that the target closes: 502, {often}",
        (request(), sent),
        (OK, _CLOSED, _CLOSED),
        everything(requests(2, 1 + attempts), answered_each(200, 502)),
    )


def _failed(status: bytes) -> Case:
    name = f"a {status.decode()} is not tried again"
    return Case(name, (request(),), (answer(status=status),), everything(requests(1), answered(int(status[:3]))))


GROUP = Group(
    "Once only",
    "One request of a client is one request at the target, and the next is not changed by it; an idempotent one may "
    "be tried once more when the target closes on it (RFC 9110, section 9.2.2). "
    "All contenders run with proxy variables in their environment that lead nowhere.",
    (
        *(
            _redirected(status)
            for status in (b"301 Moved", b"302 Found", b"303 See", b"307 Temporary", b"308 Permanent")
        ),
        Case(
            "a cookie is not kept",
            (request(), request()),
            (answer(b"Set-Cookie: a=1; Path=/"), OK),
            everything(requests(2), answered_each(200, 200), _second_lacks("Cookie")),
        ),
        Case(
            "credentials are not kept",
            (request(b"Authorization: Basic eDp5"), request()),
            (OK, OK),
            everything(requests(2), answered_each(200, 200), _second_lacks("Authorization")),
        ),
        Case(
            "a 401 is not answered",
            (request(),),
            (answer(b'WWW-Authenticate: Basic realm="x"', status=b"401 No"),),
            everything(requests(1), answered(401)),
        ),
        Case("`HTTP_PROXY` is not heeded", (request(),), (OK,), everything(requests(1), answered(200))),
        Case(
            "a GET that the target closes on: 502, tried twice at most",
            (request(),),
            (_CLOSED, _CLOSED),
            bad_gateway(2),
        ),
        *(_closed_on(method) for method in (b"GET", b"PUT", b"POST")),
        *(_failed(status) for status in (b"408 Timeout", b"425 Early", b"429 Many", b"503 Busy")),
        Case(
            "an `Alt-Svc` is not heeded",
            (request(), request()),
            (answer(b'Alt-Svc: h2="evil:443"', b"Refresh: 0"), OK),
            everything(requests(2), answered_each(200, 200)),
        ),
    ),
)
