"""A client that sends or reads nothing loses its slot; a slow but steady one keeps it; on pass-through, too."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fast_priority.local.child_processes import wait_until
from tests.harness import Stack, exchange_bytes, running_stack, scripted_target
from tests.redis_servers import loopback_redis

PATIENCE_SECONDS = 60
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LARGE = b"Content-Length: 1000000\r\n"
EXPECTS = b"Expect: 100-continue\r\n"
SMALL_BUFFER_BYTES = 4096

each_way = pytest.mark.parametrize("path", ["/queued", "/direct"])


@contextmanager
def a_stack(logs: Path, client_timeout: str, *, slots: int = 1, target_port: int | None = None) -> Iterator[Stack]:
    """Yield a stack with this client timeout, and a worker with this many slots."""
    with loopback_redis() as redis_port, running_stack(redis_port, logs) as stack:
        if target_port is None:
            stack.start_mock()
        else:
            stack.mock_url = f"http://127.0.0.1:{target_port}"
        stack.start_gateway(FAST_PRIORITY_CLIENT_TIMEOUT=client_timeout, FAST_PRIORITY_PASS_THROUGH="direct")
        if slots:
            stack.start_workers(concurrency=slots)
        yield stack


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that waits for its clients for longer than any test lasts; it has two slots."""
    with a_stack(tmp_path_factory.mktemp("patient"), "1000", slots=2) as stack:
        yield stack


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that waits for its clients for 2 s; it has one slot."""
    with a_stack(tmp_path_factory.mktemp("impatient"), "2") as stack:
        yield stack


def request(path: str, *lines: bytes, method: bytes = b"POST", version: bytes = b"1.1") -> bytes:
    return b"%s %s HTTP/%s\r\nHost: x\r\n%s\r\n" % (method, path.encode(), version, b"".join(lines))


@contextmanager
def client_of(stack: Stack, sent: bytes = b"", *, takes_little: bool = False) -> Iterator[socket.socket]:
    """Yield a connection on which this was sent; `takes_little` makes its receive buffer small."""
    with socket.socket() as client:
        if takes_little:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        client.settimeout(PATIENCE_SECONDS)
        client.connect(("127.0.0.1", stack.gateway_port))
        client.sendall(sent)
        yield client


def read_until(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        piece = client.recv(1)
        assert piece, f"the connection ended after {received[-200:]!r}"
        received += piece
    return received


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def is_answered_408(received: bytes) -> bool:
    return received.startswith(b"HTTP/1.1 408 ") and b"urn:fast-priority:request-timeout" in received


def slot_is_free(stack: Stack) -> bool:
    """Return whether the only slot takes a request, and the target has no other."""
    return stack.client.get("/queued").status_code == 200 and stack.in_flight() == 0


def wait_until_silence_is_answered(stack: Stack, path: str = "/queued") -> None:
    """Send no body until the gateway answers 408: the client timeout has passed."""
    assert is_answered_408(exchange_bytes(stack.gateway_port, request(path, CHUNKED)))


@pytest.mark.parametrize(
    "silent",
    [
        request("/queued", CHUNKED),
        request("/queued", LARGE),
        request("/queued", b"Content-Length: 10\r\n") + b"not all",
        request("/queued", CHUNKED) + b"ffff;ext=1\r\n",
        request("/queued", LARGE, EXPECTS, version=b"1.0"),
        request("/queued", CHUNKED, method=b"GET"),
    ],
    ids=["chunked", "declared", "small", "a chunk's size", "HTTP/1.0 knows no 100", "GET"],
)
def test_clients_that_send_nothing_take_no_slots(patient: Stack, silent: bytes) -> None:
    """Of more silent uploads than slots none is queued, and other requests are answered meanwhile."""
    with ExitStack() as clients:
        for _ in range(6):
            clients.enter_context(client_of(patient, silent))
        for _ in range(3):
            assert patient.client.get("/queued").status_code == 200
        assert patient.health()["in_flight"] == 0
        assert patient.redis.keys("rq:job:*") == []


@each_way
@pytest.mark.parametrize("framing", [CHUNKED, LARGE, b"Content-Length: 10\r\n"], ids=["chunked", "large", "small"])
def test_a_client_that_sends_nothing_is_answered_408(impatient: Stack, path: str, framing: bytes) -> None:
    """A client that sends no body gets 408 after the client timeout, and the target gets nothing of its request."""
    impatient.forget_arrivals()
    assert is_answered_408(exchange_bytes(impatient.gateway_port, request(path, framing)))
    assert impatient.arrivals() == []


@each_way
@pytest.mark.parametrize("framing", [CHUNKED, LARGE], ids=["chunked", "large"])
def test_an_upload_that_is_too_slow_is_answered_408_and_frees_its_slot(
    impatient: Stack, path: str, framing: bytes
) -> None:
    """An upload below the least rate is answered 408 and frees its slot, although each byte comes in time."""
    with client_of(impatient, request(path, framing)) as client:
        client.settimeout(0.2)
        received = b""
        while not received:
            with contextlib.suppress(TimeoutError):
                client.sendall(chunk(b"x") if framing is CHUNKED else b"x")
                received = client.recv(65536)
    assert is_answered_408(received)
    wait_until("its slot is free", lambda: slot_is_free(impatient))


def test_an_upload_that_stops_after_its_first_piece_frees_its_slot(impatient: Stack) -> None:
    """An upload takes its slot with its first piece, and frees it when no more comes within the client timeout."""
    with client_of(impatient, request("/queued", LARGE) + b"x" * 8000) as client:
        wait_until("it has its slot", lambda: impatient.in_flight() == 1)
        assert is_answered_408(client.recv(65536))
    wait_until("its slot is free", lambda: slot_is_free(impatient))


def test_a_client_that_waits_for_100_gets_it_with_its_slot(tmp_path: Path) -> None:
    """A client that expects 100 does not time out while it is queued; it gets the 100 when a worker claims it."""
    with (
        a_stack(tmp_path, "2", slots=0) as stack,
        client_of(stack, request("/queued", CHUNKED, EXPECTS)) as client,
    ):
        wait_until("it is queued", lambda: stack.queued() == 1)
        for _ in range(3):
            wait_until_silence_is_answered(stack)
        assert stack.queued() == 1
        stack.start_workers(concurrency=1)
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(chunk(b"abc") + b"0\r\n\r\n")
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@each_way
def test_a_client_that_sends_nothing_after_its_100_is_answered_408(impatient: Stack, path: str) -> None:
    """The client timeout of a client that expects 100 begins with the 100; then it gets 408, and its slot is free."""
    received = exchange_bytes(impatient.gateway_port, request(path, LARGE, EXPECTS))
    continued, _, received = received.partition(b"\r\n\r\n")
    assert continued == b"HTTP/1.1 100 Continue"
    assert is_answered_408(received)
    wait_until("its slot is free", lambda: slot_is_free(impatient))


@each_way
@pytest.mark.parametrize("expects", [b"", EXPECTS], ids=["", "expects"])
def test_a_body_that_comes_with_its_head_is_forwarded(patient: Stack, path: str, expects: bytes) -> None:
    """A body sent together with its head is forwarded, also an empty one, and one that does not wait for its 100."""
    for body in (b"", b"abc", b"x" * 300_000):
        sent = request(path, CHUNKED, expects, b"Connection: close\r\n") + (chunk(body) if body else b"") + b"0\r\n\r\n"
        received = exchange_bytes(patient.gateway_port, sent)
        assert b'"body_length":%d' % len(body) in received.replace(b": ", b":")


def test_a_client_that_leaves_before_its_first_piece_is_noticed(tmp_path: Path) -> None:
    """A client that leaves before its body is noticed, so a gateway that ends does not wait for it."""
    with a_stack(tmp_path, "1000", slots=0) as stack:
        with client_of(stack, request("/queued", CHUNKED)):
            pass
        stack.processes["gateway"].terminate()
        assert stack.processes["gateway"].wait(PATIENCE_SECONDS) == 0


Answer = Callable[[socket.socket, bytes], None]


def _send_much(connection: socket.socket, head: bytes) -> None:
    """A target whose responses are endless, or 100 MB long; the one to /check is short."""
    with contextlib.suppress(OSError):
        if b"/check" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        elif b"declared" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            connection.sendall(b"x" * 100_000_000)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(chunk(b"x" * 65536))


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose target sends much; it has one slot, and waits for its clients for 2 s."""
    with (
        scripted_target(_send_much) as (port, _),
        a_stack(tmp_path_factory.mktemp("endless"), "2", target_port=port) as stack,
    ):
        yield stack


def is_reset(client: socket.socket) -> bool:
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


@each_way
@pytest.mark.parametrize("kind", ["endless", "declared"])
@pytest.mark.parametrize("takes_head", [False, True], ids=["takes nothing", "takes the head"])
def test_a_client_that_reads_nothing_is_disconnected(endless: Stack, path: str, kind: str, takes_head: bool) -> None:
    """A client that reads nothing is disconnected during the response, the call ends, and the slot is free."""
    with client_of(endless, request(f"{path}?{kind}", method=b"GET"), takes_little=True) as client:
        if takes_head:
            read_until(client, b"\r\n\r\n")
        for _ in range(2):
            wait_until_silence_is_answered(endless)
        assert endless.client.get("/check").content == b"ok"
        assert is_reset(client)


LIVE_BYTES = 500
LIVE_SECONDS = 0.25
UNREAD_BYTES = 20_000_000


def _live(goes_on: threading.Event) -> Answer:
    """Return a target that the query makes receive live audio, send it, send two events, or read an upload late."""

    def answer(connection: socket.socket, head: bytes) -> None:
        kind = head.partition(b" HTTP/")[0].rpartition(b"?")[2]
        if kind == b"down":
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not goes_on.wait(LIVE_SECONDS):
                connection.sendall(chunk(b"a" * LIVE_BYTES))
            connection.sendall(chunk(b"end") + b"0\r\n\r\n")
        elif kind == b"events":
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
            goes_on.wait(PATIENCE_SECONDS)
            connection.sendall(chunk(b"end") + b"0\r\n\r\n")
        else:
            if kind == b"unread":
                goes_on.wait(PATIENCE_SECONDS)
            received = head
            while not received.endswith(b"0\r\n\r\n"):
                received = received[-10:] + connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")

    return answer


class _Steady:
    """A client in a thread of its own that is slow, or waits, until `finish`."""

    def __init__(self, stack: Stack, path: str, kind: str) -> None:
        self._stack = stack
        self._path = path
        self._kind = kind
        self._ends = threading.Event()
        self._received = b""

    def __enter__(self) -> "_Steady":
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(PATIENCE_SECONDS)

    def finish(self) -> None:
        self._ends.set()
        self._thread.join(PATIENCE_SECONDS)
        assert self._received.startswith(b"HTTP/1.1 200 "), (self._path, self._kind, self._received[:200])
        assert b"end" in self._received, (self._path, self._kind)

    def _talk(self) -> None:
        uploads = self._kind in ("up", "unread")
        lines = (CHUNKED,) if uploads else ()
        sent = request(
            f"{self._path}?{self._kind}", *lines, b"Connection: close\r\n", method=b"PUT" if uploads else b"GET"
        )
        with client_of(self._stack, sent) as client:
            if self._kind == "up":
                client.sendall(chunk(b"a" * LIVE_BYTES))
                while not self._ends.wait(LIVE_SECONDS):
                    client.sendall(chunk(b"a" * LIVE_BYTES))
            elif self._kind == "unread":
                client.sendall(chunk(b"x" * UNREAD_BYTES))
            if uploads:
                client.sendall(b"0\r\n\r\n")
            while piece := client.recv(65536):
                self._received += piece


def test_clients_that_are_slow_but_steady_are_served(tmp_path: Path) -> None:
    """Live audio in both directions, rare events and an upload that the target does not read last past the timeout."""
    goes_on = threading.Event()
    with (
        scripted_target(_live(goes_on)) as (port, _),
        a_stack(tmp_path, "4", slots=8, target_port=port) as stack,
        ExitStack() as clients,
    ):
        steady = [
            clients.enter_context(_Steady(stack, path, kind))
            for path, kind in itertools.product(("/queued", "/direct"), ("up", "down", "events", "unread"))
        ]
        for _ in range(2):
            wait_until_silence_is_answered(stack)
        goes_on.set()
        for client in steady:
            client.finish()
