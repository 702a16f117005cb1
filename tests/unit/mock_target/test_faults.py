"""Faults as far as they show over plain ASGI; tests/integration has those on the connection."""

import asyncio

import httpx
import pytest

from mock_target import MockSettings, create_app
from mock_target.handler import raw_connection
from mock_target.handler.faults import FAULTS_WITHOUT_RAW_CONNECTION, make_garbage
from mock_target.handler.raw_connection import RawConnection
from mock_target.settings.behaviour import Fault
from tests.unit.mock_target.mock_rig import DirectRequest, client_of, let_tasks_run


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in FAULTS_WITHOUT_RAW_CONNECTION])
async def test_a_fault_that_needs_the_connection_gets_501(client: httpx.AsyncClient, fault: Fault) -> None:
    """Under a server without access to the connection, a 501 says how to get the fault, and no fault is logged."""
    answer = await client.get(f"/?mock_fault={fault}")
    assert (answer.status_code, answer.headers["content-type"]) == (501, "application/problem+json")
    assert "python -m mock_target" in answer.json()["hint"]
    assert (await client.get("/__admin/arrivals")).json()["arrivals"][0]["fault"] is None


async def test_a_request_that_hangs_ends_when_the_client_disconnects() -> None:
    """Nothing is ever sent, and the finished arrival has the name of its fault."""
    app = create_app(MockSettings(latency="0"))
    request = DirectRequest("/", query="mock_fault=hang")
    task = request.start(app)
    await let_tasks_run()
    assert not task.done()
    request.disconnect()
    await task
    async with client_of(app) as client:
        arrival = (await client.get("/__admin/arrivals")).json()["arrivals"][0]
    assert request.sent == []
    assert (arrival["fault"], arrival["status"], arrival["finished_at"] is None) == ("hang", None, False)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_slow_close_answers_at_once_and_ends_later(method: str) -> None:
    """The response is complete, has Connection: close, and its end waits for close_delay or the client."""
    request = DirectRequest("/mock/binary", method=method, query="mock_fault=slow_close&mock_close_delay=3600")
    task = request.start(create_app(MockSettings(latency="0")))
    await let_tasks_run()
    head, body = request.sent
    assert (b"connection", b"close") in head["headers"]
    assert (b"content-length", b"256") in head["headers"]
    assert (len(body["body"]), body["more_body"]) == (256 if method == "GET" else 0, True)
    request.disconnect()
    await task


class SlowTransport(asyncio.Transport):
    """A transport with unsent bytes, one fewer at each look."""

    def __init__(self, left_bytes: int) -> None:
        super().__init__()
        self.left_bytes = left_bytes

    def get_write_buffer_size(self) -> int:
        self.left_bytes -= 1
        return max(self.left_bytes, 0)


@pytest.mark.parametrize(("left_bytes", "left_behind"), [(0, False), (20, False), (10**9, True)])
async def test_a_reset_midway_waits_for_the_bytes_before_it(
    monkeypatch: pytest.MonkeyPatch, left_bytes: int, left_behind: bool
) -> None:
    """All written bytes are sent first, unless that takes longer than the limit."""
    monkeypatch.setattr(raw_connection, "FLUSH_STEP_SECONDS", 0.0001)
    monkeypatch.setattr(raw_connection, "FLUSH_STEPS", 50)
    transport = SlowTransport(left_bytes)
    await RawConnection(transport, b"", []).flush()
    assert (transport.left_bytes > 0) == left_behind


def test_garbage_is_no_http_and_comes_again_under_a_seed() -> None:
    """No status line and no chunk starts with its first byte, and the same seed gives the same bytes."""
    assert make_garbage(0.5) == make_garbage(0.5) != make_garbage(0.6)
    assert make_garbage(0.5)[0] == 0xFF
