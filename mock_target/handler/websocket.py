"""/mock/websocket: a WebSocket (RFC 6455) that echoes text as text and bytes as bytes.

    /mock/websocket                                  echoes until the client closes; its close code is echoed too
    /mock/websocket?close_after=3&close_code=4001    closes with that code after 3 messages; 0: at once

`close_after` is 0 to 100000, `close_code` one that may be sent: 1000 to 1003, 1007 to 1014 or 3000 to 4999 (1000 when
not given). The first subprotocol that the client offers is selected. A bad query is refused with 400, and any
other path with 404. It is logged as an arrival with status 101; the knobs do not apply to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from mock_target.handler.asgi_types import Receive, Scope, Send
from mock_target.responses import MockResponse, find_request_id, knob_error_response, problem_response
from mock_target.settings import KnobError, read_value, whole_number_parser
from mock_target.state import Arrival, ArrivalLog

WEBSOCKET_PATH = b"/mock/websocket"

_parse_close_after = whole_number_parser(0, 100_000, "a number of messages")


def parse_close_code(text: str) -> int:
    """Parse a close code that an endpoint may send (RFC 6455, section 7.4). Raises ValueError with what to write."""
    if text.isascii() and text.isdigit() and len(text) == 4:
        code = int(text)
        if 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999:
            return code
    raise ValueError("write a close code: 1000 to 1003, 1007 to 1014 or 3000 to 4999")


@dataclass(frozen=True, slots=True)
class CloseRule:
    """After how many messages the mock closes (None: never), and with which close code."""

    after_messages: int | None
    code: int


def read_close_rule(query: bytes) -> CloseRule:
    """Parse the close rule in a query. Raises KnobError."""
    # Of several parameters with one name the first counts, as with knobs.
    given = dict(reversed(parse_qsl(query.decode("latin-1"), keep_blank_values=True)))
    after = given.get("close_after")
    return CloseRule(
        after_messages=None if after is None else read_value(_parse_close_after, after, "close_after"),
        code=read_value(parse_close_code, given.get("close_code", "1000"), "close_code"),
    )


async def serve_websocket(log: ArrivalLog, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket until it closes, and log it."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    arrival = log.record("GET", path.decode("latin-1"), query.decode("latin-1"), find_request_id(scope["headers"]))
    log.start_work(arrival)
    try:
        await receive()
        if path != WEBSOCKET_PATH:
            await _refuse(problem_response(404, f"WebSockets are at {WEBSOCKET_PATH.decode()} only"), arrival, send)
            return
        try:
            rule = read_close_rule(query)
        except KnobError as error:
            await _refuse(knob_error_response(error), arrival, send)
            return
        arrival.status = 101
        await send({"type": "websocket.accept", "subprotocol": _first(scope.get("subprotocols") or ())})
        await _echo(rule, receive, send)
    finally:
        log.finish(arrival)


def _first(subprotocols: Sequence[str]) -> str | None:
    return subprotocols[0] if subprotocols else None


async def _echo(rule: CloseRule, receive: Receive, send: Send) -> None:
    messages = 0
    while rule.after_messages is None or messages < rule.after_messages:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        messages += 1
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
    await send({"type": "websocket.close", "code": rule.code})


async def _refuse(response: MockResponse, arrival: Arrival, send: Send) -> None:
    arrival.status = response.status
    length = (b"content-length", b"%d" % (response.length_bytes or 0))
    await send(
        {"type": "websocket.http.response.start", "status": response.status, "headers": [*response.fields, length]}
    )
    for piece in response.pieces:
        await send({"type": "websocket.http.response.body", "body": piece.content, "more_body": False})
