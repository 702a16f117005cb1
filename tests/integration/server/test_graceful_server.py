"""GracefulServer: when it shuts down, requests that have come are answered."""

import asyncio
import signal
import socket
import threading
from typing import Any

import pytest
import uvicorn

from fast_priority.local.child_processes import wait_until
from fast_priority.server.graceful import GracefulServer
from fast_priority.server.timeouts import ConnectionTimeouts
from tests.integration.server.protocol_rig import (
    PATIENCE_SECONDS,
    Echo,
    Receive,
    Send,
    answer,
    connected,
    connection_in,
    read_through,
    read_to_the_end,
    serving_until_told,
)

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Held:
    """Answers when the test lets it."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.left = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.begun.release()
        while not self.may_answer.is_set():
            if connection_in(scope).left.is_set():
                self.left.set()
                return
            await asyncio.sleep(0.01)
        await answer(send, b"{}")


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_requests_in_flight_are_answered() -> None:
    """New connections are refused, and a client that waits gets its response, with Connection: close."""
    held = Held()
    with serving_until_told(held, drain_seconds=PATIENCE_SECONDS) as (port, server), connected(port) as client:
        client.sendall(WHOLE)
        assert held.begun.acquire(timeout=PATIENCE_SECONDS)
        server.should_exit = True
        wait_until("it refuses connections", lambda: refuses_connections(port))
        held.may_answer.set()
        received = read_to_the_end(client)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in received


def test_clients_that_come_late_are_served() -> None:
    """For the delay after the signal, new clients are served as before; only then connections are refused."""
    signals = threading.Event()
    with serving_until_told(Echo(), delay_seconds=1.0, on_signal=signals.set) as (port, server):
        server.should_exit = True
        assert signals.wait(PATIENCE_SECONDS)
        with connected(port) as client:
            client.sendall(WHOLE)
            assert b"connection: close" not in read_through(client, b"}")
        wait_until("it refuses connections", lambda: refuses_connections(port))


@pytest.mark.parametrize("begun", [b"", b"GET / HTT"])
def test_requests_on_their_way_are_answered(begun: bytes) -> None:
    """A request that comes on an open connection after the signal, in part or whole, is answered."""
    with serving_until_told(Echo(), drain_seconds=PATIENCE_SECONDS) as (port, server), connected(port) as client:
        client.sendall(WHOLE + begun)
        read_through(client, b"}")
        server.should_exit = True
        wait_until("it refuses connections", lambda: refuses_connections(port))
        client.sendall(WHOLE.removeprefix(begun))
        received = read_to_the_end(client)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in received


def test_idle_connections_are_closed() -> None:
    """Connections on which nothing comes are closed, used or not, and the server ends."""
    with (
        serving_until_told(Echo(), drain_seconds=1000) as (port, server),
        connected(port) as used,
        connected(port) as unused,
    ):
        used.sendall(WHOLE)
        read_through(used, b"}")
        server.should_exit = True
        assert (read_to_the_end(used), read_to_the_end(unused)) == (b"", b"")


def test_requests_over_the_drain_timeout_are_answered_503() -> None:
    """At the end of the drain timeout, requests without a response are answered 503, and their work is cancelled."""
    held = Held()
    with serving_until_told(held, drain_seconds=0.3) as (port, server), connected(port) as client:
        client.sendall(WHOLE + WHOLE)
        assert held.begun.acquire(timeout=PATIENCE_SECONDS)
        server.should_exit = True
        received = read_to_the_end(client)
        assert held.left.wait(PATIENCE_SECONDS)
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"urn:fast-priority:gateway-not-ready" in received
    assert b"retry-after: " in received


def test_a_second_signal_answers_503_at_once() -> None:
    """After a second signal, requests without a response are answered 503, and none is logged as a failure of ours."""
    held = Held()
    with serving_until_told(held, drain_seconds=PATIENCE_SECONDS) as (port, server), connected(port) as client:
        client.sendall(WHOLE)
        assert held.begun.acquire(timeout=PATIENCE_SECONDS)
        server.should_exit = True
        server.force_exit = True
        received = read_to_the_end(client)
        assert held.left.wait(PATIENCE_SECONDS)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"urn:fast-priority:gateway-not-ready" in received


def test_a_response_without_end_breaks_off() -> None:
    """At the end of the drain timeout, a response that still streams breaks off, and does not look complete."""

    async def endless(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not connection_in(scope).left.is_set():
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.01)

    with serving_until_told(endless, drain_seconds=0.3) as (port, server), connected(port) as client:
        client.sendall(WHOLE)
        read_through(client, b"x")
        server.should_exit = True
        try:
            received = read_to_the_end(client)
        except ConnectionResetError:
            received = b""
    assert not received.endswith(b"0\r\n\r\n")


def test_connections_that_wait_to_be_accepted_are_answered() -> None:
    """A client that was connected, but not accepted yet, when the shutdown begins is answered."""
    blocked, go_on = threading.Event(), threading.Event()
    ending: list[asyncio.Task[None]] = []

    def block() -> None:
        blocked.set()
        go_on.wait(PATIENCE_SECONDS)

    async def end(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/end":
            # In one turn of the loop, which accepts no connection in between.
            asyncio.get_running_loop().call_soon(block)
            ending.append(asyncio.create_task(server.shutdown()))
        await answer(send, b"{}")

    with serving_until_told(end, drain_seconds=PATIENCE_SECONDS) as (port, server), connected(port) as first:
        first.sendall(WHOLE.replace(b"/ ", b"/end "))
        assert blocked.wait(PATIENCE_SECONDS)
        waiting = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) for _ in range(20)]
        for client in waiting:
            client.sendall(WHOLE)
        go_on.set()
        answers = [read_to_the_end(client) for client in waiting]
        for client in waiting:
            client.close()
    assert all(received.startswith(b"HTTP/1.1 200 ") for received in answers)


def test_a_second_signal_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second signal ends the server at once, unless it comes within a second of the first."""
    now = [100.0]
    monkeypatch.setattr("fast_priority.server.graceful.time.monotonic", lambda: now[0])
    server = GracefulServer(uvicorn.Config(Echo()), ConnectionTimeouts(1, 1, 1), 1, on_signal=lambda: None)
    server.handle_exit(signal.SIGTERM, None)
    server.handle_exit(signal.SIGINT, None)
    assert (server.should_exit, server.force_exit) == (True, False)
    now[0] += 2
    server.handle_exit(signal.SIGTERM, None)
    assert server.force_exit
