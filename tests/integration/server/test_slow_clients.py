"""Clients that are slow, too many, or send more requests than are answered."""

import asyncio
import contextlib
import json
import socket
import threading
from typing import Any

import pytest

from fast_priority.local.child_processes import wait_until
from tests.integration.server.protocol_rig import (
    GET,
    PATIENCE_SECONDS,
    Echo,
    Receive,
    Send,
    Waiting,
    answer,
    connected,
    connection_in,
    read_through,
    read_to_the_end,
    serving,
)

WHOLE = GET + b"\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
PROBES = frozenset({b"/health"})


def answered(client: socket.socket, sent: bytes = WHOLE) -> None:
    """Send a request, and read its response."""
    client.sendall(sent)
    assert read_through(client, b"}").startswith(b"HTTP/1.1 200 ")


def send_bytes_until_it_ends(client: socket.socket, piece: bytes) -> bytes:
    """Send a piece now and then until the other side closes; return what it sent."""
    received = b""
    client.settimeout(0.1)
    while True:
        try:
            client.sendall(piece)
            if not (came := client.recv(65536)):
                return received
            received += came
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return received


@pytest.mark.parametrize("piece", [b"x", b"x: a\r\n"])
@pytest.mark.parametrize("before", [b"", WHOLE])
def test_a_head_that_takes_too_long_is_answered_408(before: bytes, piece: bytes) -> None:
    """A client that sends its head piece by piece gets 408 in time and is disconnected, also on a used connection."""
    with serving(Echo(), head_seconds=0.5) as port, connected(port) as client:
        if before:
            answered(client, before)
        client.sendall(GET)
        received = send_bytes_until_it_ends(client, piece)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    assert json.loads(body)["type"] == "urn:fast-priority:request-head-timeout"


def test_an_unused_connection_is_closed_without_a_response() -> None:
    """A connection without a request gets no response: browsers open connections in advance."""
    with serving(Echo(), head_seconds=0.3) as port, connected(port) as client:
        assert read_to_the_end(client) == b""


def test_an_idle_connection_is_closed_without_a_response() -> None:
    """A connection without a next request is closed after its time, and not before."""
    with serving(Echo(), idle_seconds=0.5) as port, connected(port) as client:
        answered(client)
        answered(client)
        assert read_to_the_end(client) == b""


def test_no_timeout_runs_while_the_response_is_made() -> None:
    """A client that waits for its response is not slow, also if it has begun the next head."""

    async def slowly(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        await answer(send, b"{}")

    begun, go_on = threading.Event(), threading.Event()
    with serving(slowly, head_seconds=0.2, idle_seconds=0.2) as port, connected(port) as client:
        client.sendall(WHOLE + GET)
        assert begun.wait(PATIENCE_SECONDS)
        with connected(port) as other:
            read_to_the_end(other)  # which is closed after as long as the first one could have been
        client.sendall(b"Connection: close\r\n\r\n")
        go_on.set()
        assert read_to_the_end(client).count(b"HTTP/1.1 200 ") == 2


def test_the_rest_of_a_body_has_a_timeout() -> None:
    """A client that continues to send a body after its response is disconnected in the end."""

    async def early(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await answer(send, b"{}")

    with serving(early, head_seconds=0.5) as port, connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert read_through(client, b"{}").startswith(b"HTTP/1.1 200 ")
        assert send_bytes_until_it_ends(client, b"x") == b""


@pytest.mark.parametrize("sent", [WHOLE, LAST])
@pytest.mark.parametrize("half_closes", [False, True])
def test_a_client_that_reads_nothing_is_disconnected(sent: bytes, half_closes: bool) -> None:
    """A connection that must be closed is closed, even if its client does not read."""
    left, begun = threading.Event(), threading.Event()

    async def much(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await answer(send, b"x" * 20_000_000)
        begun.set()
        await connection_in(scope).left.wait()
        left.set()

    with serving(much, idle_seconds=0.2, read_seconds=0.5) as port, connected(port) as client:
        client.sendall(sent)
        assert begun.wait(PATIENCE_SECONDS)
        if half_closes:
            client.shutdown(socket.SHUT_WR)
        assert left.wait(PATIENCE_SECONDS)


def test_a_slow_reader_gets_its_whole_response() -> None:
    """The idle timeout does not close a connection whose client still reads its response."""

    async def much(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await answer(send, b"x" * 20_000_000)

    with serving(much, idle_seconds=0.2) as port, connected(port) as client:
        client.sendall(WHOLE)
        with connected(port) as other:
            other.sendall(WHOLE)
            read_to_the_end(other)  # by now the first one could have been closed, too
        assert len(read_to_the_end(client)) > 20_000_000


def test_over_the_limit_clients_get_503_when_they_send_a_request() -> None:
    """A client over the limit gets 503 with Retry-After as soon as it sends something; a free place is used again."""
    waiting = Waiting()
    with serving(waiting, most_connections=2, retry_after_seconds=lambda: 17) as port:
        with connected(port) as first, connected(port) as second:
            first.sendall(WHOLE)
            second.sendall(WHOLE)
            assert all(waiting.begun.acquire(timeout=PATIENCE_SECONDS) for _ in range(2))
            with connected(port) as third:
                third.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000)
                head, _, body = read_to_the_end(third).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert {b"connection: close", b"retry-after: 17"} <= set(head.split(b"\r\n"))
        assert json.loads(body)["type"] == "urn:fast-priority:too-many-connections"
        wait_until("both have left", lambda: len(waiting.left) == 2)
        with connected(port) as fourth:
            fourth.sendall(WHOLE)
            assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)


def test_the_longest_idle_connection_makes_room() -> None:
    """At the limit, the connection that has been idle for longest is closed for a new one."""
    with serving(Echo(), most_connections=2) as port, connected(port) as first, connected(port) as second:
        answered(first)
        answered(second)
        with connected(port) as third:
            answered(third)
        assert read_to_the_end(first) == b""
        answered(second)


def test_health_is_answered_over_the_limit() -> None:
    """Over the limit a probe is answered, on a connection for one request; the next request on it is not."""
    waiting = Waiting()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/health":
            await answer(send, b"{}")
        else:
            await waiting(scope, receive, send)

    with serving(application, most_connections=1, probes=PROBES) as port, connected(port) as first:
        first.sendall(WHOLE)
        assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        with connected(port) as probe:
            probe.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + WHOLE)
            received = read_to_the_end(probe)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in received
    assert received.count(b"HTTP/1.1 ") == 1


def test_crowds_over_the_limit_are_bounded() -> None:
    """Of many connections over the limit only some are kept, and the clients below it are served."""
    with serving(Echo(), most_connections=1) as port, connected(port) as first:
        first.sendall(GET)
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) for _ in range(300)]
        with contextlib.suppress(ConnectionResetError):
            assert crowd[-1].recv(1) == b""
        for one in crowd:
            one.close()
        answered(first, b"\r\n")


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("before", "most_held_bytes"),
    [
        (WHOLE, 8 * 1024),
        (POST + b"Content-Length: 1\r\n\r\nx", 8 * 1024),
        (POST + b"Content-Length: 30000\r\n\r\n" + b"x" * 30_000, 8 * 1024),
        (POST + b"Content-Length: 30000\r\nExpect: 100-continue\r\n\r\n" + b"x" * 30_000, 8 * 1024),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 16 * 1024),
    ],
    ids=["GET", "tiny", "small", "expects", "chunked"],
)
@pytest.mark.parametrize("apart", [False, True])
def test_pipelined_requests_are_not_collected(before: bytes, most_held_bytes: int, apart: bool) -> None:
    """Of pipelined bytes 8 KiB are held, behind a body of unknown length 16 KiB, and few requests are parsed."""
    waiting = Waiting()
    head, end, body = before.partition(b"\r\n\r\n")
    with serving(waiting) as port, connected(port) as client:
        client.settimeout(1.0)
        if apart:
            client.sendall(head + end)
            assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        with pytest.raises(TimeoutError):
            client.sendall((body if apart else before) + WHOLE * 1_000_000)
        assert apart or waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        connection = waiting._connections[0]
        assert len(connection._protocol._held) <= most_held_bytes
        assert len(connection._protocol.pipeline) < 1024 / len(WHOLE) + 1
        assert len(connection._cycle.body) <= len(body)


class Received(Waiting):
    """Receives the whole body of each request, and then sends no response."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await super().__call__(scope, receive, send)


@pytest.mark.parametrize(
    ("head", "body", "most_held_bytes"),
    [
        (b"Content-Length: 3000000\r\n\r\n", b"x" * 3_000_000, 8 * 1024),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"2DC6C0\r\n" + b"x" * 3_000_000 + b"\r\n0\r\n\r\n", 16 * 1024),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 100_000 + b"0\r\nX: trailer\r\n\r\n", 16 * 1024),
    ],
    ids=["declared", "one chunk", "many chunks"],
)
def test_large_reads_of_a_body_collect_no_more_behind_it(head: bytes, body: bytes, most_held_bytes: int) -> None:
    """The larger reads of a body bring no more of the requests behind it."""
    received = Received()
    with serving(received) as port, connected(port) as client:
        client.settimeout(1.0)
        with contextlib.suppress(TimeoutError):
            client.sendall(POST + head + body + WHOLE * 1_000_000)
        assert received.begun.acquire(timeout=PATIENCE_SECONDS)
        protocol = received._connections[0]._protocol
        assert len(protocol._held) <= most_held_bytes
        assert len(protocol.pipeline) < 1024 / len(WHOLE) + 1


def test_pipelined_requests_are_not_collected_while_they_are_answered() -> None:
    """While pipelined requests are answered, no more bytes are held than before."""
    most_held = 0

    async def receiving(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        nonlocal most_held
        await receive()
        await asyncio.sleep(0)
        most_held = max(most_held, len(connection_in(scope)._protocol._held))
        await answer(send, b"{}")

    with serving(receiving) as port, connected(port) as client:
        sending = threading.Thread(target=client.sendall, args=(WHOLE * 20_000 + LAST,))
        sending.start()
        assert read_to_the_end(client).count(b"HTTP/1.1 200 ") == 20_001
        sending.join(PATIENCE_SECONDS)
    assert most_held <= 8192


def test_pipelined_requests_are_all_answered_in_order() -> None:
    """Held bytes are read in turn, and none is lost."""
    asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5000))
    with serving(Echo()) as port, connected(port) as client:
        sending = threading.Thread(target=client.sendall, args=(asked + LAST,))
        sending.start()
        received = read_to_the_end(client)
        sending.join(PATIENCE_SECONDS)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [json.loads(body)["target"] for body in bodies] == [*(f"/{number}" for number in range(5000)), "/"]
