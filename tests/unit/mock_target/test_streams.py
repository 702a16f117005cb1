"""Server-sent events and the WebSocket, over ASGI."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target import MockSettings, create_app
from mock_target.handler.websocket import CloseRule, read_close_rule
from mock_target.responses.server_sent_events import sse_response
from tests.unit.mock_target.mock_rig import DirectRequest, client_of, let_tasks_run


@given(st.integers(1, 50), st.integers(0, 50_000))
def test_events_are_due_at_their_interval(events: int, interval_milliseconds: int) -> None:
    """Event n is due n - 1 intervals after the head."""
    pieces = sse_response(f"events={events}&interval={interval_milliseconds / 1000}".encode()).pieces
    due_seconds = [interval_milliseconds * number / 1000 for number in range(events)]
    assert [piece.due_seconds for piece in pieces] == pytest.approx(due_seconds)


async def test_events_are_in_the_format_of_the_standard(client: httpx.AsyncClient) -> None:
    """Each event has an id and data, and an empty line ends it."""
    answer = await client.get("/mock/sse?events=2&interval=0")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text == 'id: 1\ndata: {"event": 1, "of": 2}\n\nid: 2\ndata: {"event": 2, "of": 2}\n\n'


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("events=0", "events"), ("events=100001", "events"), ("interval=-1", "interval"), ("interval=3601", "interval")],
)
async def test_a_stream_that_cannot_be_is_a_problem(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    """A 400 names the parameter."""
    answer = await client.get(f"/mock/sse?{query}")
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


async def test_events_stop_when_the_client_disconnects() -> None:
    """One event is sent, the client disconnects, and the request is finished."""
    app = create_app(MockSettings(latency="0"))
    request = DirectRequest("/mock/sse", query="interval=3600")
    task = request.start(app)
    await let_tasks_run()
    assert len(request.sent) == 2
    request.disconnect()
    await task
    assert len(request.sent) == 2
    async with client_of(app) as client:
        assert (await client.get("/__admin/arrivals")).json()["in_flight"] == 0


async def talk(path: str, query: str, incoming: list[dict[str, Any]]) -> list[Any]:
    request = DirectRequest(path, query=query, kind="websocket", subprotocols=["b", "a"])
    for message in [{"type": "websocket.connect"}, *incoming]:
        request.incoming.put_nowait(message)
    await request.run(create_app())
    return list(request.sent)


LEAVE = {"type": "websocket.disconnect", "code": 1000}


async def test_text_comes_back_as_text_and_bytes_as_bytes() -> None:
    """Each message is echoed in its own kind, in order, until the client closes."""
    messages: list[dict[str, Any]] = [
        {"type": "websocket.receive", "text": "é"},
        {"type": "websocket.receive", "bytes": b"\xff"},
    ]
    sent = await talk("/mock/websocket", "", [*messages, LEAVE])
    assert sent[0] == {"type": "websocket.accept", "subprotocol": "b"}
    assert [(message["text"], message["bytes"]) for message in sent[1:]] == [("é", None), (None, b"\xff")]


@pytest.mark.parametrize("after", [0, 2])
async def test_the_mock_closes_after_the_given_messages(after: int) -> None:
    """After so many messages it closes with the given code, even if more arrive."""
    messages = [{"type": "websocket.receive", "text": str(number)} for number in range(5)]
    sent = await talk("/mock/websocket", f"close_after={after}&close_code=4001", messages)
    assert [message["type"] for message in sent[1:-1]] == ["websocket.send"] * after
    assert sent[-1] == {"type": "websocket.close", "code": 4001}


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [("/mock/websocket", "close_code=1005", 400), ("/mock/websocket", "close_after=x", 400), ("/else", "", 404)],
)
async def test_a_websocket_that_cannot_be_is_refused(path: str, query: str, status: int) -> None:
    """The refusal is a complete HTTP response, a problem that says why."""
    head, body = await talk(path, query, [])
    assert (head["type"], head["status"]) == ("websocket.http.response.start", status)
    assert (b"content-type", b"application/problem+json") in head["headers"]
    assert (b"content-length", b"%d" % len(body["body"])) in head["headers"]


@given(st.integers(0, 9999))
def test_only_codes_that_may_be_sent_are_taken(code: int) -> None:
    """Close codes that RFC 6455 (section 7.4) excludes are refused: 1004 to 1006, 1015, and all below 1000."""
    may_be_sent = code in {1000, 1001, 1002, 1003, *range(1007, 1015)} or 3000 <= code <= 4999
    try:
        assert read_close_rule(f"close_code={code}".encode()) == CloseRule(None, code)
        assert may_be_sent
    except ValueError:
        assert not may_be_sent


async def test_a_websocket_is_logged_until_it_ends() -> None:
    """It is in flight while it is open, and an arrival with status 101."""
    app = create_app()
    request = DirectRequest("/mock/websocket", kind="websocket")
    request.incoming.put_nowait({"type": "websocket.connect"})
    task = request.start(app)
    async with client_of(app) as client:
        await let_tasks_run()
        assert (await client.get("/__admin/arrivals")).json()["in_flight"] == 1
        request.incoming.put_nowait(LEAVE)
        await task
        log = (await client.get("/__admin/arrivals")).json()
    assert (log["in_flight"], log["arrivals"][0]["path"], log["arrivals"][0]["status"]) == (0, "/mock/websocket", 101)
