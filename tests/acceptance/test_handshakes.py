"""A handshake of a WebSocket waits in its queue, takes a slot, and frees it when it is answered."""

import http.server
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from subprocess import Popen

import httpx
import pytest

from fast_priority.local.child_processes import wait_until, worker_process
from tests.acceptance.held_target import OK, PATIENCE_SECONDS, SWITCH, HeldTarget, held_target
from tests.harness import Background, Stack

UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: YQ==", "Sec-WebSocket-Version: 13")
kinds = pytest.mark.parametrize("kind", ["priority", "stock"])


def request(path: str, *fields: str, method: str = "GET", version: str = "1.1", body: str = "") -> bytes:
    """Return the bytes of a request with these fields."""
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *fields, "", body]).encode()


def handshake(path: str) -> bytes:
    return request(path, *UPGRADE)


@contextmanager
def sent(stack: Stack, octets: bytes) -> Iterator[socket.socket]:
    """Yield the connection of a client that has sent these bytes."""
    with socket.create_connection(("127.0.0.1", stack.gateway_port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(octets)
        yield client


def head_of(client: socket.socket) -> bytes:
    """Return the head of the next response."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = client.recv(1)
        assert piece, f"the connection ended after {head!r}"
        head += piece
    return head


@contextmanager
def in_front_of_held_target(stack: Stack, kind: str = "", slots: int = 1, **environment: str) -> Iterator[HeldTarget]:
    """Start a gateway in front of a target, and workers of this kind with this many slots, or none."""
    with held_target() as target:
        stack.mock_url = f"http://127.0.0.1:{target.port}"
        stack.start_gateway(FAST_PRIORITY_POLL_INTERVAL="0.2", **environment)
        if kind == "stock":
            stack.start_stock_worker()
        elif kind:
            stack.start_workers(concurrency=slots)
        yield target


def start_worker(stack: Stack) -> "Popen[bytes]":
    """Start a worker with one slot. A lost worker may still be counted."""
    return stack.start(worker_process(1, 1, stack.redis_port))


def unread(stack: Stack) -> bytes:
    """Return all frames that are still in a mailbox."""
    lists = [key for kind in ("inbox", "aside") for key in stack.redis.keys(f"rq:fast-priority:{kind}:*")]
    return b"".join(frame for key in lists for frame in stack.redis.lrange(key, 0, -1))


def slot_is_free(stack: Stack, target: HeldTarget) -> bool:
    """Return whether a request reaches the target and is answered."""
    asked = len(target.heads)
    with sent(stack, request("/probe", "Connection: close")) as client:
        target.until_asked(asked + 1)
        target.answer(asked, OK)
        return head_of(client).startswith(b"HTTP/1.1 200 ")


SPELLINGS = {
    "as browsers do": handshake("/low/1"),
    "with a length of no bytes": request("/low/1", *UPGRADE, "Content-Length: 0"),
    "in capitals": request("/low/1", "CONNECTION: UPGRADE", "UPGRADE: WEBSOCKET"),
    "the bare two fields": request("/low/1", "Connection: upgrade", "Upgrade: websocket"),
    "two Connection lines": request("/low/1", "Connection: keep-alive", "Connection: upgrade", "Upgrade: websocket"),
    "several Upgrade lines": request("/low/1", "Connection: upgrade", "Upgrade: h2c", "Upgrade: websocket"),
    "a list of protocols": request("/low/1", "Connection: upgrade", "Upgrade: websocket, h2c"),
    "h2c": request("/low/1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    "no Connection field": request("/low/1", "Upgrade: websocket"),
    "another version": request("/low/1", *UPGRADE[:3], "Sec-WebSocket-Version: 777"),
    "a POST": request("/low/1", *UPGRADE, "Content-Length: 2", method="POST", body="ok"),
    "a HEAD": request("/low/1", *UPGRADE, method="HEAD"),
    "with a body": request("/low/1", *UPGRADE, "Content-Length: 2", body="ok"),
    "with a chunked body": request("/low/1", *UPGRADE, "Transfer-Encoding: chunked", body="2\r\nok\r\n0\r\n\r\n"),
    "HTTP/1.0": request("/low/1", *UPGRADE, version="1.0"),
    "a whole URL": request("http://x/low/1", *UPGRADE),
    "behind another request": request("/low/0") + handshake("/low/1"),
    "in front of another request": handshake("/low/1") + request("/low/2"),
    "of high priority": handshake("/high/1"),
}


class _KnowsNoWebSockets(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def plain_target() -> Iterator[tuple[int, list[str]]]:
    """A target without WebSockets: its port, and the paths of its requests."""
    asked: list[str] = []
    handler = type("Handler", (_KnowsNoWebSockets,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


def test_no_spelling_gets_past_the_queue(stack: Stack, plain_target: tuple[int, list[str]]) -> None:
    """Without a worker, no request with the fields of an upgrade reaches the target: all wait, until 503."""
    port, asked = plain_target
    stack.mock_url = f"http://127.0.0.1:{port}"
    stack.start_gateway(FAST_PRIORITY_TTL="3")
    with ExitStack() as clients:
        each = {name: clients.enter_context(sent(stack, octets)) for name, octets in SPELLINGS.items()}
        answers = {name: head_of(client) for name, client in each.items()}
    assert {name: answer.split(b" ")[1] for name, answer in answers.items()} == dict.fromkeys(SPELLINGS, b"503")
    assert asked == []


def test_every_spelling_is_answered_once_there_is_a_worker(stack: Stack, plain_target: tuple[int, list[str]]) -> None:
    """If the target has no WebSockets, the client gets its answer to each of these requests."""
    port, _ = plain_target
    stack.mock_url = f"http://127.0.0.1:{port}"
    stack.start_gateway()
    stack.start_workers(concurrency=2)
    for octets in SPELLINGS.values():
        with sent(stack, octets) as client:
            assert head_of(client).startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))


@pytest.mark.parametrize("answer", [OK, SWITCH], ids=["declined", "agreed"])
def test_a_handshake_waits_its_turn(stack: Stack, answer: bytes) -> None:
    """While the slot is taken, handshakes wait; then they go by priority, and within a priority in order."""
    with in_front_of_held_target(stack, "priority") as target, ExitStack() as clients:
        for number, octets in enumerate(
            [
                request("/high/first"),
                handshake("/low/handshake"),
                request("/low/get"),
                handshake("/high/handshake"),
                request("/high/get"),
            ]
        ):
            clients.enter_context(sent(stack, octets))
            if number:
                wait_until("it waits", lambda waiting=number: stack.queued() == waiting)  # type: ignore[misc]
            else:
                target.until_asked(1)
        for number in range(5):
            target.until_asked(number + 1)
            target.answer(number, answer if "handshake" in target.paths()[number] else OK)
    assert target.paths() == ["/high/first", "/high/handshake", "/high/get", "/low/handshake", "/low/get"]


@kinds
def test_a_declined_handshake_holds_its_slot_to_its_end(stack: Stack, kind: str) -> None:
    """An ordinary response to a handshake keeps the slot until it has ended; only then the next request is sent."""
    with (
        in_front_of_held_target(stack, kind) as target,
        sent(stack, handshake("/high/1")) as client,
        sent(stack, b"") as other,
    ):
        target.until_asked(1)
        target.answer(0, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno")
        assert head_of(client).startswith(b"HTTP/1.1 200 ")
        assert client.recv(2) == b"no"
        other.sendall(request("/high/2"))
        wait_until("it waits", lambda: stack.queued() == 1)
        assert target.paths() == ["/high/1"]
        target.answer(0, b"pe")
        assert client.recv(2) == b"pe"
        target.until_asked(2)


@kinds
def test_an_open_websocket_takes_no_slot(stack: Stack, kind: str) -> None:
    """With the 101 the slot is free, and the tunnel continues."""
    with in_front_of_held_target(stack, kind) as target, sent(stack, handshake("/high/1")) as client:
        target.until_asked(1)
        target.answer(0, SWITCH)
        assert head_of(client).startswith(b"HTTP/1.1 101 ")
        assert slot_is_free(stack, target)
        client.sendall(b"to the target")
        assert target.connections[0].recv(100) == b"to the target"
        target.answer(0, b"to the client")
        assert client.recv(100) == b"to the client"
        wait_until("nothing of it is in Redis", lambda: not stack.redis.keys("rq:job:*"))


@kinds
def test_a_client_that_leaves_in_the_handshake_frees_the_slot(stack: Stack, kind: str) -> None:
    """If the client leaves before the response, the connection to the target is closed, and the slot is free."""
    with in_front_of_held_target(stack, kind) as target:
        with sent(stack, handshake("/high/1")):
            target.until_asked(1)
        assert target.is_closed(0)
        assert slot_is_free(stack, target)


def test_a_client_that_leaves_while_its_handshake_waits(stack: Stack) -> None:
    """If the client leaves, a waiting handshake is taken off the queue, even if the client has already sent frames."""
    with in_front_of_held_target(stack) as target:
        with sent(stack, handshake("/low/1")) as client:
            wait_until("it waits", lambda: stack.queued() == 1)
            client.sendall(b"frames")
        wait_until("it waits no more", lambda: stack.queued() == 0)
        stack.start_workers(concurrency=1)
        assert slot_is_free(stack, target)
        assert target.paths() == ["/probe"]


def test_a_gateway_that_ends_lets_what_waits_begin(stack: Stack) -> None:
    """A handshake that waits when the gateway gets SIGTERM is answered; its tunnel may last for a few seconds."""
    with in_front_of_held_target(stack) as target, sent(stack, handshake("/high/1")) as client:
        wait_until("it waits", lambda: stack.queued() == 1)
        gateway = stack.processes["gateway"]
        gateway.send_signal(signal.SIGTERM)
        start_worker(stack)
        target.until_asked(1)
        target.answer(0, SWITCH)
        assert head_of(client).startswith(b"HTTP/1.1 101 ")
        client.sendall(b"last")
        assert target.connections[0].recv(100) == b"last"
        assert target.is_closed(0)
        assert gateway.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_worker_lost_in_the_handshake(stack: Stack, how: signal.Signals) -> None:
    """The handshake of a lost worker is closed at the target and sent once more, in front of all others."""
    with in_front_of_held_target(stack) as target, sent(stack, handshake("/high/1")) as client:
        pool = stack.start_workers(concurrency=1)
        target.until_asked(1)
        os.killpg(pool.pid, how)
        with sent(stack, request("/high/2")):
            wait_until("it waits", lambda: stack.queued() == 1)
            assert target.is_closed(0)
            start_worker(stack)
            target.until_asked(2)
            target.answer(1, SWITCH)
            assert head_of(client).startswith(b"HTTP/1.1 101 ")
            target.until_asked(3)
            target.answer(2, OK)
        if how is signal.SIGSTOP:
            os.killpg(pool.pid, signal.SIGCONT)
        assert slot_is_free(stack, target)
    assert target.paths() == ["/high/1", "/high/1", "/high/2", "/probe"]


def test_no_handshake_is_sent_a_third_time(stack: Stack) -> None:
    """A handshake whose second worker is lost, too, is answered 502."""
    with in_front_of_held_target(stack) as target, sent(stack, handshake("/high/1")) as client:
        for attempt in (1, 2):
            pool = start_worker(stack)
            target.until_asked(attempt)
            os.killpg(pool.pid, signal.SIGKILL)
            assert target.is_closed(attempt - 1)
        assert head_of(client).startswith(b"HTTP/1.1 502 ")


def test_a_response_that_declines_breaks_off_with_its_worker(stack: Stack) -> None:
    """If a worker is lost after a part of the response was sent on, the response breaks off and is not repeated."""
    with in_front_of_held_target(stack) as target, sent(stack, handshake("/high/1")) as client:
        pool = stack.start_workers(concurrency=1)
        target.until_asked(1)
        target.answer(0, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno")
        head_of(client)
        assert client.recv(2) == b"no"
        os.killpg(pool.pid, signal.SIGKILL)
        assert target.is_closed(0)
        with suppress(ConnectionResetError):
            assert not client.recv(1)
        start_worker(stack)
        assert slot_is_free(stack, target)


@kinds
def test_a_gateway_that_is_killed_frees_the_slot(stack: Stack, kind: str) -> None:
    """When a gateway is lost, the worker notices it and takes the next request."""
    with in_front_of_held_target(stack, kind) as target, sent(stack, handshake("/high/1")):
        target.until_asked(1)
        os.killpg(stack.processes["gateway"].pid, signal.SIGKILL)
        assert target.is_closed(0)
        stack.start_gateway()
        assert slot_is_free(stack, target)


def test_a_leave_that_redis_has_lost_costs_no_slot(stack: Stack) -> None:
    """A worker that was frozen when its permit ended, and whose Redis then lost all data, frees the slot by itself."""
    with in_front_of_held_target(stack) as target, sent(stack, handshake("/high/1")) as client:
        pool = stack.start_workers(concurrency=1)
        target.until_asked(1)
        os.killpg(pool.pid, signal.SIGSTOP)
        target.answer(0, SWITCH)
        assert head_of(client).startswith(b"HTTP/1.1 101 ")
        wait_until("the Leave is sent", lambda: b"leave" in unread(stack))
        stack.redis.flushall()
        os.killpg(pool.pid, signal.SIGCONT)
        assert slot_is_free(stack, target)


def test_too_many_tunnels(stack: Stack) -> None:
    """Open and waiting WebSockets count for the limit; one more gets 503 at once, until another one ends."""
    with in_front_of_held_target(stack, "priority", FAST_PRIORITY_MAX_TUNNELS="2") as target:
        with sent(stack, handshake("/high/1")) as first, sent(stack, b"") as second:
            target.until_asked(1)
            target.answer(0, SWITCH)
            head_of(first)
            second.sendall(handshake("/low/2"))
            target.until_asked(2)
            with sent(stack, handshake("/high/3")) as third:
                refused = head_of(third)
                assert refused.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: " in refused.lower()
                assert b"too-many-tunnels" in third.recv(10_000)
        assert target.is_closed(0)
        with sent(stack, handshake("/high/4")):
            wait_until("there is room", lambda: "/high/4" in target.paths())
    assert target.paths() == ["/high/1", "/low/2", "/high/4"]


def test_a_path_that_is_passed_through(stack: Stack) -> None:
    """Only a handshake on a pass-through path skips the queue: it needs no worker, whether accepted or declined."""
    with in_front_of_held_target(stack, FAST_PRIORITY_PASS_THROUGH="live") as target:
        for number, answer in enumerate((OK, SWITCH)):
            with sent(stack, handshake("/live")) as client:
                target.until_asked(number + 1)
                target.answer(number, answer)
                assert head_of(client).split(b" ")[1] == answer.split(b" ")[1]
        with sent(stack, handshake("/live/more")):
            wait_until("it waits", lambda: stack.queued() == 1)
    assert target.paths() == ["/live", "/live"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_a_handshake_for_documentation_waits(stack: Stack, path: str) -> None:
    """A handshake on the path of the target's documentation is queued: only its pages skip the queue."""
    with in_front_of_held_target(stack) as target, sent(stack, handshake(path)):
        wait_until("it waits", lambda: stack.queued() == 1)
        assert target.paths() == []


def test_without_websockets(stack: Stack) -> None:
    """With WebSockets off, a request for one is queued as the GET that it is, without the fields of the handshake."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_WEBSOCKETS="off")
    with Background(1) as background, httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False) as client:
        fields = dict(field.split(": ") for field in (*UPGRADE, "X-Kept: 1"))
        asked = background.send(lambda: client.get(f"{stack.url}/mock/websocket", headers=fields))
        wait_until("it waits", lambda: stack.queued() == 1)
        stack.start_workers(concurrency=1)
        echoed = {name.lower() for name, _ in json.loads(asked.result().content)["fields"]}
    assert "x-kept" in echoed
    assert not [name for name in echoed if name in ("upgrade", "connection") or name.startswith("sec-websocket")]
    assert stack.client.get("/gateway_health/live", headers=fields).status_code == 200
