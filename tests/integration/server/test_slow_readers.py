"""Clients that do not read their responses: their connections are reset, and nothing is held for them."""

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fast_priority.local.child_processes import wait_until
from tests.integration.server.protocol_rig import (
    GET,
    PATIENCE_SECONDS,
    Receive,
    Send,
    answer,
    connected,
    connection_in,
    read_through,
    serving,
)

WHOLE = GET + b"\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
MUCH = 20_000_000
SMALL_BUFFER_BYTES = 4096
PIECE_BYTES = 2048


class Answering:
    """Answers by the path: many bytes at once, in pieces, a few, or events when the test lets it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.left: list[str] = []
        self.connections: list[Any] = []
        self.next_event = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.loop = asyncio.get_running_loop()
        path, connection = scope["path"], connection_in(scope)
        self.begun.append(path)
        self.connections.append(connection)
        try:
            if path == "/whole":
                await answer(send, b"x" * MUCH)
            elif path == "/pieces":
                await self._answer_in_pieces(send, connection.left)
            elif path == "/events":
                await self._answer_in_events(send)
            else:
                await answer(send, b"x" * 1000)
        finally:
            if path in ("/whole", "/pieces") or connection.left.is_set():
                await connection.left.wait()
                self.left.append(path)

    async def _answer_in_pieces(self, send: Send, left: asyncio.Event) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not left.is_set():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})

    async def _answer_in_events(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in itertools.count():
            await send({"type": "http.response.body", "body": b"event %d." % number, "more_body": True})
            await self.next_event.wait()
            self.next_event.clear()

    def send_event(self) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.next_event.set)


@contextmanager
def small_reader(port: int) -> Iterator[socket.socket]:
    """Connect as a client whose system buffers little; yields the connection."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        client.settimeout(PATIENCE_SECONDS)
        client.connect(("127.0.0.1", port))
        yield client


def get(path: str, request: bytes = WHOLE) -> bytes:
    return request.replace(b" / ", b" %s " % path.encode())


def is_reset(client: socket.socket) -> bool:
    """Read the rest; return whether it ends with a reset."""
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


@pytest.mark.parametrize("path", ["/whole", "/pieces"])
@pytest.mark.parametrize("request_", [WHOLE, LAST, WHOLE.replace(b"1.1", b"1.0"), b"POST" + LAST[3:]])
@pytest.mark.parametrize("half_closes", [False, True])
def test_a_client_that_reads_nothing_is_reset(path: str, request_: bytes, half_closes: bool) -> None:
    """If a client does not read, its connection is reset, also during a response of many pieces or a last one."""
    application = Answering()
    with serving(application, read_seconds=0.5) as port, small_reader(port) as client:
        client.sendall(get(path, request_))
        read_through(client, b"\r\n\r\n")
        if half_closes:
            client.shutdown(socket.SHUT_WR)
        wait_until("it is reset", lambda: application.left == [path])
        assert is_reset(client)


def test_a_client_that_reads_too_slowly_is_reset() -> None:
    """A client that reads a byte now and then is reset, too."""
    application = Answering()
    with serving(application, read_seconds=1.0) as port, small_reader(port) as client:
        client.sendall(get("/whole"))
        with contextlib.suppress(ConnectionResetError):
            while not application.left:
                client.recv(1)
                threading.Event().wait(0.02)
        wait_until("it is reset", lambda: application.left == ["/whole"])


def test_many_small_answers_that_nobody_takes() -> None:
    """Pipelined requests are answered only as fast as the client reads, so responses do not fill the memory."""
    application = Answering()
    with serving(application, read_seconds=3.0) as port, small_reader(port) as client:
        sending = threading.Thread(target=_send_until_reset, args=(client, get("/small") * 100_000))
        sending.start()
        held = 0
        while not application.left:
            for connection in application.connections[-1:]:
                transport = connection._protocol.transport.underlying
                held = max(held, transport.get_write_buffer_size() + len(connection._protocol._held))
            threading.Event().wait(0.01)
        sending.join(PATIENCE_SECONDS)
    assert 0 < held < 3 * 8192


def _send_until_reset(client: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        client.sendall(data)


def test_a_slow_but_steady_reader_gets_all() -> None:
    """A client that reads some kilobytes a second is served, while another one that reads nothing is reset."""
    application = Answering()
    with (
        serving(application, read_seconds=4.0) as port,
        small_reader(port) as slow,
        small_reader(port) as silent,
    ):
        slow.sendall(get("/whole"))
        silent.sendall(get("/pieces"))
        received = 0
        while not application.left:
            received += len(slow.recv(PIECE_BYTES))
            threading.Event().wait(0.1)
        assert application.left == ["/pieces"]
        while received < MUCH:
            received += len(slow.recv(65536))


def test_a_silent_stream_goes_on() -> None:
    """A client that has read everything may wait for the next event without a limit."""
    application = Answering()
    with serving(application, read_seconds=0.5) as port, connected(port) as client:
        client.sendall(get("/events"))
        read_through(client, b"event 0.")
        for number in (1, 2):
            with small_reader(port) as silent:
                silent.sendall(get("/whole"))
                wait_until("another is reset", lambda number=number: len(application.left) == number)  # type: ignore[misc]
            application.send_event()
            read_through(client, b"event %d." % number)


def test_an_unread_response_is_no_idle_connection() -> None:
    """A connection whose client does not read its response is reset long before the idle timeout."""
    application = Answering()
    with serving(application, idle_seconds=10_000, read_seconds=0.5) as port, small_reader(port) as client:
        client.sendall(get("/whole"))
        wait_until("it is reset", lambda: application.left == ["/whole"])


def test_the_system_counts_what_a_client_has_taken() -> None:
    """Bytes in the buffers of this system do not count as taken by the client."""
    application = Answering()
    with serving(application) as port, small_reader(port) as client:
        client.sendall(get("/whole"))
        wait_until("the response has begun", lambda: len(application.connections) == 1)
        peer, received = application.connections[0]._protocol._peer, 0
        assert peer.taken_bytes() < 100_000
        while received < 200_000:
            received += len(client.recv(65536))
        wait_until("it is counted", lambda: received <= peer.taken_bytes() <= received + 100_000)
