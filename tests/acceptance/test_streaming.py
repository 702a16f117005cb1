"""Bodies are streamed through the queue in both directions, on both kinds of workers, and are buffered nowhere."""

import hashlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import httpx
import pytest

from fast_priority.local.child_processes import wait_until
from tests.harness import Stack, scripted_target

PATIENCE_SECONDS = 30
A_LOT = 256 * 1024 * 1024
BLOCKED_SECONDS = 1.0
"""A socket that accepts no bytes for so long is taken for full."""

kinds = pytest.mark.parametrize("kind", ["priority", "stock"])
Answer = Callable[[socket.socket, bytes], None]


def start(stack: Stack, kind: str, target_port: int, **environment: str) -> None:
    """Start a gateway in front of this target, and one worker of this kind."""
    stack.mock_url = f"http://127.0.0.1:{target_port}"
    stack.start_gateway(FAST_PRIORITY_POLL_INTERVAL="0.2", **environment)
    start_worker(stack, kind)


def start_worker(stack: Stack, kind: str) -> None:
    if kind == "priority":
        stack.start_workers(concurrency=2)
    else:
        stack.start_stock_worker()


@contextmanager
def client_of(stack: Stack) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", stack.gateway_port), timeout=PATIENCE_SECONDS) as client:
        yield client


def read_until(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        chunk = client.recv(65536)
        assert chunk, f"the connection ended after {received[-200:]!r}"
        received += chunk
    return received


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the connection ends, by a close or a reset."""
    client.settimeout(PATIENCE_SECONDS)
    received = b""
    try:
        while chunk := client.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


class Events:
    """A target that sends an event each time a test wants it, and notices that its client has left."""

    def __init__(self) -> None:
        self.go_on = threading.Semaphore(0)
        self.client_gone = threading.Event()

    def answer(self, connection: socket.socket, head: bytes) -> None:
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        watch = threading.Thread(target=self._watch, args=(connection,), daemon=True)
        watch.start()
        for number in range(5):
            self.go_on.acquire(timeout=PATIENCE_SECONDS)
            if self.client_gone.is_set():
                return
            connection.sendall(b"9\r\ndata: %d\n\n\r\n" % number)
        connection.sendall(b"0\r\n\r\n")

    def _watch(self, connection: socket.socket) -> None:
        try:
            if not connection.recv(1):
                self.client_gone.set()
        except OSError:
            self.client_gone.set()


@kinds
def test_each_event_arrives_before_the_next_is_sent(stack: Stack, kind: str) -> None:
    """What the target sends reaches the client at once: it sends an event only when the last one has arrived."""
    events = Events()
    with scripted_target(events.answer) as (port, _):
        start(stack, kind, port)
        with stack.client.stream("GET", "/events") as response:
            assert "content-length" not in response.headers
            received = response.iter_raw()
            for number in range(5):
                events.go_on.release()
                assert next(received) == b"data: %d\n\n" % number
            assert list(received) == []


@kinds
def test_a_client_that_leaves_in_midstream_ends_the_call(stack: Stack, kind: str) -> None:
    """If a client leaves during the response, the target's connection is closed, and the slot is free."""
    events = Events()
    with scripted_target(events.answer) as (port, _):
        start(stack, kind, port)
        with client_of(stack) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            events.go_on.release()
            read_until(client, b"data: 0\n\n\r\n")
        assert events.client_gone.wait(PATIENCE_SECONDS)
        wait_until("nothing is left of it", lambda: not stack.redis.keys("rq:job:*") or kind == "stock")


@kinds
def test_a_client_that_leaves_before_the_response_ends_the_call(stack: Stack, kind: str) -> None:
    """If a client leaves before the response, the call to the target ends, and its job is removed."""
    gone = threading.Event()

    def send_nothing(connection: socket.socket, head: bytes) -> None:
        connection.settimeout(PATIENCE_SECONDS)
        if not connection.recv(1):
            gone.set()

    with scripted_target(send_nothing) as (port, heads):
        start(stack, kind, port)
        with client_of(stack) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until("it is at the target", lambda: len(heads) == 1)
        assert gone.wait(PATIENCE_SECONDS)
        assert len(heads) == 1


def _send(body: bytes) -> Answer:
    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return answer


@kinds
@pytest.mark.parametrize("frames_in_flight", ["1", "8"])
def test_a_large_response_arrives_intact(stack: Stack, kind: str, frames_in_flight: str) -> None:
    """A body of many frames comes back byte for byte, with the Content-Length that the target gave it."""
    body = os.urandom(5_000_001)
    with scripted_target(_send(body)) as (port, _):
        start(stack, kind, port, FAST_PRIORITY_FRAMES_IN_FLIGHT=frames_in_flight)
        response = stack.client.get("/large")
    assert response.headers["content-length"] == str(len(body))
    assert hashlib.sha256(response.content).digest() == hashlib.sha256(body).digest()


@kinds
def test_a_large_upload_stays_with_its_client_until_it_is_claimed(stack: Stack, kind: str) -> None:
    """The body of a large upload is not in Redis while its request waits; then it arrives intact."""
    stack.start_mock()
    stack.start_gateway()
    body = os.urandom(5_000_001)
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(stack.client.post("/upload", content=body)), daemon=True)
    asking.start()
    wait_until("it waits", lambda: stack.queued() == 1)
    (job,) = stack.redis.keys("rq:job:*")
    assert len(stack.redis.hget(job, "data") or b"") < 10_000
    start_worker(stack, kind)
    asking.join(PATIENCE_SECONDS)
    (response,) = answers
    echoed = response.json()
    assert (echoed["body_length"], echoed["body_sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


@kinds
def test_each_piece_of_an_upload_arrives_before_the_next_is_sent(stack: Stack, kind: str) -> None:
    """What the client sends reaches the target at once: it sends a piece only when the last one has arrived."""
    arrived: list[bytes] = []
    ended = threading.Event()

    def take(connection: socket.socket, head: bytes) -> None:
        connection.settimeout(PATIENCE_SECONDS)
        arrived.append(head)  # with the bytes that came together with it
        while not arrived[-1].endswith(b"0\r\n\r\n"):
            arrived.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        ended.set()

    def has_arrived(piece: bytes) -> bool:
        return piece in b"".join(arrived)

    with scripted_target(take) as (port, _):
        start(stack, kind, port)
        with client_of(stack) as client:
            client.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(4):
                client.sendall(b"7\r\npiece %d\r\n" % number)
                wait_until("the piece is there", partial(has_arrived, b"piece %d" % number))
            client.sendall(b"0\r\n\r\n")
            assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 204")
    assert ended.is_set()


@kinds
def test_an_answer_before_the_upload_has_ended_is_sent_at_once(stack: Stack, kind: str) -> None:
    """The client gets the answer of a target that refuses an upload while it still sends."""

    def refuse(connection: socket.socket, head: bytes) -> None:
        if head.endswith(b"\r\n\r\n"):  # else the first bytes of the body came with it
            connection.recv(65536)
        connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        read_all(connection)

    with scripted_target(refuse) as (port, _):
        start(stack, kind, port)
        with client_of(stack) as client:
            client.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            assert read_until(client, b"no!").startswith(b"HTTP/1.1 413")


@kinds
def test_a_client_that_leaves_during_its_upload_ends_the_call(stack: Stack, kind: str) -> None:
    """If a client leaves during its upload, the target sees the request break off, never a complete one."""
    seen: list[bytes] = []
    closed = threading.Event()

    def take(connection: socket.socket, head: bytes) -> None:
        connection.settimeout(PATIENCE_SECONDS)
        seen.append(read_all(connection))
        closed.set()

    with scripted_target(take) as (port, heads):
        start(stack, kind, port)
        with client_of(stack) as client:
            client.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000)
            wait_until("it has begun at the target", lambda: len(heads) == 1)
        assert closed.wait(PATIENCE_SECONDS)
    assert sum(map(len, seen)) < 1_000_000


def _cut_after_a_while(framing: bytes, sent: bytes) -> Answer:
    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + sent)
        connection.shutdown(socket.SHUT_RDWR)

    return answer


@kinds
@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        (b"Content-Length: 400000", b"x" * 200_000),
        (b"Transfer-Encoding: chunked", b"30d40\r\n" + b"x" * 200_000 + b"\r\n"),
    ],
)
def test_a_response_that_breaks_off_is_never_a_whole_one(stack: Stack, kind: str, framing: bytes, sent: bytes) -> None:
    """If the target breaks a body off, the connection of the client ends before the end of the body."""
    with scripted_target(_cut_after_a_while(framing, sent)) as (port, _):
        start(stack, kind, port)
        with pytest.raises(httpx.RemoteProtocolError):
            stack.client.get("/cut")


def test_a_worker_that_dies_in_midstream_breaks_the_response_off(stack: Stack) -> None:
    """A response whose worker was killed breaks off when the lease has expired."""
    events = Events()
    with scripted_target(events.answer) as (port, _):
        start(stack, "priority", port)
        with client_of(stack) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            events.go_on.release()
            read_until(client, b"data: 0\n\n\r\n")
            os.killpg(stack.processes["workers"].pid, signal.SIGKILL)
            assert not read_all(client).endswith(b"0\r\n\r\n")


@kinds
def test_a_client_that_does_not_read_holds_the_target_up(stack: Stack, kind: str) -> None:
    """If a client does not read, no more of its response is read from the target than the buffers on the way hold."""
    blocked = threading.Event()
    sent_bytes = 0

    def send_a_lot(connection: socket.socket, head: bytes) -> None:
        nonlocal sent_bytes
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % A_LOT)
        connection.setblocking(False)
        while select.select([], [connection], [], BLOCKED_SECONDS)[1]:
            sent_bytes += connection.send(b"x" * 65536)
        blocked.set()
        connection.setblocking(True)
        read_all(connection)

    with scripted_target(send_a_lot) as (port, _):
        start(stack, kind, port)
        with client_of(stack) as client:
            client.sendall(b"GET /lots HTTP/1.1\r\nHost: x\r\n\r\n")
            assert blocked.wait(PATIENCE_SECONDS)
            held = sum(stack.redis.memory_usage(key) or 0 for key in stack.redis.keys("rq:fast-priority:inbox:*"))
    assert sent_bytes < 64 * 1024 * 1024
    assert held < 2 * 6 * 512 * 1024


@kinds
def test_a_body_that_grows_over_the_limit_is_refused(stack: Stack, kind: str) -> None:
    """An upload of unknown length that grows over FAST_PRIORITY_MAX_BODY is answered 413, and breaks off there."""

    def take(connection: socket.socket, head: bytes) -> None:
        read_all(connection)

    with scripted_target(take) as (port, _):
        start(stack, kind, port, FAST_PRIORITY_MAX_BODY="200000")
        response = stack.client.post("/upload", content=iter([b"x" * 65536] * 8))
    assert response.status_code == 413


@kinds
@pytest.mark.parametrize("is_broken_off", [False, True])
def test_a_client_of_http_1_0_gets_a_stream_as_it_comes(stack: Stack, kind: str, is_broken_off: bool) -> None:
    """It gets each piece when it is sent, and an orderly end only if the response is whole; else a reset."""
    go_on = threading.Event()

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go_on.wait(PATIENCE_SECONDS)
        connection.sendall(b"zz\r\n" if is_broken_off else b"4\r\nlast\r\n0\r\n\r\n")

    with scripted_target(answer) as (port, _):
        start(stack, kind, port)
        with client_of(stack) as client:
            client.sendall(b"GET /low/1 HTTP/1.0\r\n\r\n")
            begun = read_until(client, b"first")
            go_on.set()
            if is_broken_off:
                with pytest.raises(ConnectionResetError):
                    client.recv(65536)
            else:
                assert (client.recv(65536), client.recv(65536)) == (b"last", b"")
    assert b"transfer-encoding" not in begun
