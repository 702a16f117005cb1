"""End-to-end fields arrive as they were sent, both ways: as many, in order, the same bytes (RFC 9110, section 5)."""

from tests.acceptance.fidelity.case import Case, Group
from tests.acceptance.fidelity.judges import (
    answered,
    client_has,
    client_lacks,
    everything,
    noting,
    of_request,
    of_response,
    target_has,
    target_lacks,
)
from tests.acceptance.fidelity.messages import Message
from tests.acceptance.fidelity.wire import OK, answer, bare_answer, request, sized

_DATE, _SERVER = b"Tue, 01 Jan 2030 00:00:00 GMT", b"target/1.0"
_VALUES = {
    "UTF-8": "Zoë".encode(),
    "not UTF-8": b"Zo\xeb \xff\x80",
    "empty": b"",
    "a tab and several blanks inside": b"a\t b   c",
    "of 8,000 bytes": b"v" * 8000,
    "quotes, commas and backslashes": b'"a\\"b", c; d="e"',
}
_ADDED_BY_CLIENTS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type", "Content-Length", "Transfer-Encoding")


def _value_in_a_request(what: str, value: bytes) -> Case:
    return Case(
        f"request: a value that is {what}",
        (request(b"X-Value: " + value),),
        (OK,),
        everything(target_has("X-Value", value), answered(200)),
    )


def _value_in_a_response(what: str, value: bytes) -> Case:
    return Case(
        f"response: a value that is {what}",
        (request(),),
        (answer(b"X-Value: " + value),),
        everything(answered(200), client_has("X-Value", value)),
    )


def _starting_with_x(message: Message) -> list[bytes]:
    return [value for name, value in message.fields if name.lower().startswith((b"x-m", b"x-o"))]


_MANY = (b"X-Many: 1", b"X-Other: -", b"x-many: 2", b"X-MANY: 2", b"X-Many:")
_MANY_VALUES = [b"1", b"-", b"2", b"2", b""]

GROUP = Group(
    "Fields from end to end",
    "All other fields arrive as many as they were, in their order, byte for byte; and none are added.",
    (
        *(_value_in_a_request(what, value) for what, value in _VALUES.items()),
        Case(
            "request: repeated fields, in order",
            (request(*_MANY),),
            (OK,),
            everything(of_request("fields", lambda request, _: _starting_with_x(request), _MANY_VALUES), answered(200)),
        ),
        Case(
            "request: two `Cookie` fields and `Authorization`",
            (request(b"Cookie: a=1", b"Cookie: b=2", b"Authorization: Basic eDp5"),),
            (OK,),
            everything(target_has("Cookie", b"a=1", b"b=2"), target_has("Authorization", b"Basic eDp5"), answered(200)),
        ),
        Case(
            "request: nothing is added that programs add",
            (request(),),
            (OK,),
            everything(target_lacks(*_ADDED_BY_CLIENTS), answered(200)),
        ),
        Case(
            "request: 400 fields",
            (request(*(b"X-%d: v" % number for number in range(400))),),
            (OK,),
            everything(target_has("X-399", b"v"), answered(200)),
        ),
        *(_value_in_a_response(what, value) for what, value in _VALUES.items()),
        Case(
            "response: repeated fields, in order",
            (request(),),
            (answer(*_MANY),),
            everything(answered(200), of_response("fields", _starting_with_x, _MANY_VALUES)),
        ),
        Case(
            "response: each `Set-Cookie` on its own",
            (request(),),
            (answer(b"Set-Cookie: a=1, Path=/", b"Set-Cookie: b=2; Expires=Tue, 01 Jan 2030 00:00:00 GMT"),),
            everything(
                answered(200),
                client_has("Set-Cookie", b"a=1, Path=/", b"b=2; Expires=Tue, 01 Jan 2030 00:00:00 GMT"),
            ),
        ),
        Case(
            "response: `Date` and `Server` are the target's, once",
            (request(),),
            (answer(b"Date: " + _DATE, b"Server: " + _SERVER),),
            everything(answered(200), client_has("Date", _DATE), client_has("Server", _SERVER)),
        ),
        Case("response: no `Server` is added", (request(),), (OK,), everything(answered(200), client_lacks("Server"))),
        Case(
            # RFC 9110, section 6.6.1, has a recipient with a clock add it; a client that gets none can do so itself.
            "response: `Date`, where the target sent none",
            (request(),),
            (OK,),
            noting(lambda seen: "added" if seen.final and seen.final.values("date") else "not added", answered(200)),
        ),
        Case(
            "response: no `Content-Type` is added",
            (request(),),
            (bare_answer(sized(b"ok"), body=b"ok"),),
            everything(answered(200), client_lacks("Content-Type")),
        ),
    ),
)
