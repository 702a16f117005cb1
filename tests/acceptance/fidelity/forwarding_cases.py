"""What an intermediary adds, and what it must not believe (RFC 9110, sections 7.6.2 and 7.6.3; RFC 7239)."""

import re

from tests.acceptance.fidelity.case import Case, Group, Judge, Seen, Verdict
from tests.acceptance.fidelity.judges import (
    answered,
    client_has,
    everything,
    nothing_at_the_target,
    of_request,
    of_response,
    target_has,
)
from tests.acceptance.fidelity.messages import Message
from tests.acceptance.fidelity.wire import HOST, OK, answer, request

VIA = b"1.1 fast-priority"
_PEER = b"127.0.0.1"
# RFC 7239, section 4: a value that is a token may be quoted, or not.
_FORWARDED = (b"for=127.0.0.1;host=client.example;proto=http", b'for=127.0.0.1;host="client.example";proto=http')


def _members(message: Message, name: str) -> bytes:
    """All members of a list field, whether they came in one line or in several (RFC 9110, section 5.3).

    Without what tells one deployment of ours from another, which nobody knows beforehand.
    """
    return re.sub(rb"fast-priority-[0-9a-f]{16}", b"fast-priority", b", ".join(message.values(name)))


def _target_list(name: str, *wanted: bytes) -> Judge:
    return of_request(name, lambda request, _: _members(request, name), *wanted)


def _client_list(name: str, wanted: bytes) -> Judge:
    return of_response(name, lambda response: _members(response, name), wanted)


def _host_is_the_targets(seen: Seen) -> Verdict:
    return target_has("Host", seen.target_authority)(seen)


def _max_forwards(method: bytes, line: bytes, judge: Judge) -> Case:
    name = f"{method.decode()} with `{line.decode()}`"
    return Case(name, (request(line, method=method),), (OK,), judge)


_SAYS_WHO_ASKS = everything(
    answered(200),
    target_has("X-Forwarded-For", _PEER),
    target_has("X-Forwarded-Host", HOST),
    target_has("X-Forwarded-Proto", b"http"),
    _target_list("Forwarded", *_FORWARDED),
)
_FORGED = (b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Host: evil", b"X-Forwarded-Proto: https")
_UNFORWARDED = everything(nothing_at_the_target, answered(200, 204))

_TRACE = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_named_once = of_request("X-Request-ID lines", lambda request, _: len(request.values("X-Request-ID")), 1)
_the_same_name = of_request(
    "the same name on both sides",
    lambda request, seen: (
        seen.final is not None and request.values("X-Request-ID") == seen.final.values("X-Request-ID")
    ),
    True,
)
_one_line_more = of_response(
    "Server-Timing",
    lambda response: [re.sub(rb"[0-9.]+", b"N", line) for line in response.values("Server-Timing")],
    [b"db;dur=N", b"queue;dur=N, target;dur=N"],
    [b"db;dur=N", b"target;dur=N"],
)

GROUP = Group(
    "What an intermediary adds",
    "It names itself in `Via`, says who asked, replaces what a client forged of that, and counts `Max-Forwards` down.",
    (
        Case("request: `Via` is added", (request(),), (OK,), everything(_target_list("Via", VIA), answered(200))),
        Case(
            "request: `Via` is added behind those that are there",
            (request(b"Via: 1.0 fred", b"Via: 1.1 p.example"),),
            (OK,),
            everything(_target_list("Via", b"1.0 fred, 1.1 p.example, " + VIA), answered(200)),
        ),
        Case(
            "request of HTTP/1.0: `Via` says so",
            (request(version=b"HTTP/1.0"),),
            (OK,),
            everything(_target_list("Via", VIA.replace(b"1.1", b"1.0")), answered(200)),
        ),
        Case("response: `Via` is added", (request(),), (OK,), everything(answered(200), _client_list("Via", VIA))),
        Case(
            "response: `Via` is added behind those that are there",
            (request(),),
            (answer(b"Via: 1.1 inner"),),
            everything(answered(200), _client_list("Via", b"1.1 inner, " + VIA)),
        ),
        Case(
            "request: one without `X-Request-ID` gets one, and so does its response",
            (request(),),
            (OK,),
            everything(answered(200), _named_once, _the_same_name),
        ),
        Case(
            "request: its `X-Request-ID` is kept, and goes back",
            (request(b"X-Request-ID: order-7"),),
            (OK,),
            everything(answered(200), target_has("X-Request-ID", b"order-7"), client_has("X-Request-ID", b"order-7")),
        ),
        Case(
            "request: an `X-Request-ID` with a quote is replaced",
            (request(b'X-Request-ID: "7", a'),),
            (OK,),
            everything(answered(200), _named_once, _the_same_name),
        ),
        Case(
            "request: two `X-Request-ID` are replaced by one",
            (request(b"X-Request-ID: 7", b"X-Request-ID: 8"),),
            (OK,),
            everything(answered(200), _named_once, _the_same_name),
        ),
        Case(
            "response: the target's `X-Request-ID` is kept",
            (request(b"X-Request-ID: ours"),),
            (answer(b"X-Request-ID: theirs"),),
            everything(answered(200), client_has("X-Request-ID", b"theirs")),
        ),
        Case(
            "response: `Server-Timing` is a line more",
            (request(),),
            (answer(b"Server-Timing: db;dur=5"),),
            everything(answered(200), _one_line_more),
        ),
        Case(
            "`traceparent` and `tracestate` are kept",
            (request(_TRACE, b"tracestate: a=1,b=2"),),
            (OK,),
            everything(answered(200), target_has("traceparent", _TRACE[13:]), target_has("tracestate", b"a=1,b=2")),
        ),
        Case("`Host` is the target's", (request(),), (OK,), everything(answered(200), _host_is_the_targets)),
        Case("who asked is said in `X-Forwarded-*` and `Forwarded`", (request(),), (OK,), _SAYS_WHO_ASKS),
        Case("forged `X-Forwarded-*` are replaced", (request(*_FORGED),), (OK,), _SAYS_WHO_ASKS),
        Case(
            "a forged `Forwarded` is replaced",
            (request(b"Forwarded: for=10.0.0.1;proto=https", b"Forwarded: for=evil"),),
            (OK,),
            _SAYS_WHO_ASKS,
        ),
        *(_max_forwards(method, b"Max-Forwards: 0", _UNFORWARDED) for method in (b"OPTIONS", b"TRACE")),
        *(
            _max_forwards(method, b"Max-Forwards: 5", everything(target_has("Max-Forwards", b"4"), answered(200)))
            for method in (b"OPTIONS", b"TRACE")
        ),
        _max_forwards(b"GET", b"Max-Forwards: 0", everything(target_has("Max-Forwards", b"0"), answered(200))),
    ),
)
