"""What comes piece by piece: dribbled bodies, events, the arrival log, and the WebSocket."""

import json
import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.integration.mock_target.mock_process import PATIENCE_SECONDS, RunningMock, running_mock, wait_until


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock("--latency", "0") as mock:
        yield mock


@pytest.fixture(autouse=True)
def _from_the_start(mock: RunningMock) -> None:
    mock.request("POST", "/__admin/reset")


@pytest.fixture
async def session(mock: RunningMock) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{mock.port}", timeout=timeout) as session:
        yield session


def read_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        content = connection.recv(1)  # no byte behind it, however late this process reads
        assert content, received
        received += content
    return received


def has_something_to_read(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(PATIENCE_SECONDS)


def test_a_dribbled_body_comes_in_pieces(mock: RunningMock) -> None:
    """The head is there while all of the body is still to come, with its whole length."""
    with mock.send("/?mock_body=abcd&mock_dribble=2,3600") as connection:
        assert b"content-length: 4" in read_until(connection, b"\r\n\r\n")
        assert not has_something_to_read(connection)


def test_the_pieces_of_a_dribble_are_sent_one_by_one(mock: RunningMock) -> None:
    """Every piece is a write of its own, and together they are the body."""
    with mock.send("/?mock_body=abcd&mock_dribble=4,0.4") as connection:
        read_until(connection, b"\r\n\r\n")
        pieces = [connection.recv(65536) for _ in range(4)]
    assert pieces == [b"a", b"b", b"c", b"d"]


def test_a_slow_body_comes_as_far_as_its_bandwidth(mock: RunningMock) -> None:
    """Of a body that would take an hour, a little comes and the rest does not."""
    with mock.send("/?mock_size=72000&mock_bandwidth=20") as connection:
        head = read_until(connection, b"\r\n\r\n\x00")
        assert b"content-length: 72000" in head
        assert mock.in_flight() == 1


def test_a_client_that_disconnects_during_a_slow_body_is_finished(mock: RunningMock) -> None:
    """Leaving in the middle of a dribble ends the request."""
    with mock.send("/?mock_body=abcd&mock_dribble=2,3600") as connection:
        read_until(connection, b"\r\n\r\n")
    wait_until("the request is finished", lambda: mock.in_flight() == 0)


def test_events_come_one_by_one(mock: RunningMock) -> None:
    """The first event is there while the second is an hour away; leaving ends the stream."""
    with mock.send("/mock/sse?events=2&interval=3600") as connection:
        received = read_until(connection, b"\n\n\r\n")
        assert b"content-type: text/event-stream" in received
        assert received.count(b"data: ") == 1
        assert not has_something_to_read(connection)
    wait_until("the request is finished", lambda: mock.in_flight() == 0)


def test_all_events_come_in_the_end(mock: RunningMock) -> None:
    """A stream that is not left has all its events, in order, and an end."""
    events = mock.get("/mock/sse?events=20&interval=0.001").text.split("\n\n")
    assert [json.loads(event.partition("data: ")[2])["event"] for event in events[:-1]] == list(range(1, 21))


def test_a_follower_gets_arrivals_at_once(mock: RunningMock) -> None:
    """Lines come while the stream is open: what was there, what arrives, and a reset."""
    mock.get("/before")
    with mock.client.stream("GET", "/__admin/arrivals.ndjson?follow=true") as answer:
        lines = answer.iter_lines()
        assert json.loads(next(lines))["path"] == "/before"
        mock.get("/after")
        assert json.loads(next(lines))["path"] == "/after"
        mock.request("DELETE", "/__admin/arrivals")
        assert json.loads(next(lines)) == {"reset": True}


def test_a_log_of_many_arrivals_is_streamed_whole(mock: RunningMock) -> None:
    """More arrivals than fit in one batch come once each, in order."""
    for _ in range(1200):
        mock.get("/")
    lines = mock.get("/__admin/arrivals.ndjson").text.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(range(1, 1201))


async def test_a_websocket_echoes_text_and_bytes(session: aiohttp.ClientSession) -> None:
    """Each message comes back in its own kind, large ones too."""
    async with session.ws_connect("/mock/websocket") as connection:
        await connection.send_str("é")
        assert await connection.receive_str() == "é"
        await connection.send_bytes(bytes(range(256)) * 4096)
        assert await connection.receive_bytes() == bytes(range(256)) * 4096


async def test_a_websocket_speaks_the_first_subprotocol(session: aiohttp.ClientSession) -> None:
    """Of those offered the first is accepted; without an offer there is none."""
    async with session.ws_connect("/mock/websocket", protocols=("b", "a")) as connection:
        assert connection.protocol == "b"
    async with session.ws_connect("/mock/websocket") as connection:
        assert connection.protocol is None


async def test_a_websocket_closes_with_the_code_of_the_client(
    session: aiohttp.ClientSession, mock: RunningMock
) -> None:
    """The client's close code comes back, and the arrival is finished."""
    async with session.ws_connect("/mock/websocket", autoclose=False) as connection:
        await connection.close(code=4002)
        assert connection.close_code == 4002
    wait_until("the arrival is finished", lambda: mock.in_flight() == 0)
    assert mock.report()["arrivals"][0]["status"] == 101


async def test_a_websocket_is_closed_by_the_mock_as_requested(session: aiohttp.ClientSession) -> None:
    """After one message the mock closes with the given code."""
    async with session.ws_connect("/mock/websocket?close_after=1&close_code=4001") as connection:
        await connection.send_str("last")
        assert await connection.receive_str() == "last"
        assert (await connection.receive()).type is aiohttp.WSMsgType.CLOSE
        assert connection.close_code == 4001


async def test_a_websocket_that_cannot_be_is_refused_over_http(session: aiohttp.ClientSession) -> None:
    """The handshake fails with 400."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await session.ws_connect("/mock/websocket?close_code=1006")
    assert caught.value.status == 400


def test_a_websocket_whose_client_vanishes_is_finished(mock: RunningMock) -> None:
    """A connection that ends without a close frame ends the arrival."""
    fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    with mock.connect() as connection:
        connection.sendall(f"GET /mock/websocket HTTP/1.1\r\nHost: mock\r\n{fields}{key}\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")
        wait_until("it is in flight", lambda: mock.in_flight() == 1)
    wait_until("it is finished", lambda: mock.in_flight() == 0)
