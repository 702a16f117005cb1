"""Clients that are not ready hold no slot, and those that are slow but steady keep theirs; past the queue as well."""

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
    """Give a stack with this patience, and a worker of so many slots."""
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
    """Give a connection on which this was sent; its system may take little before it reads."""
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


def is_answered_408(said: bytes) -> bool:
    return said.startswith(b"HTTP/1.1 408 ") and b"urn:fast-priority:request-timeout" in said


def slot_is_free(stack: Stack) -> bool:
    """Tell whether the only slot takes a request, and the target has nothing else."""
    return stack.client.get("/queued").status_code == 200 and stack.in_flight() == 0


def wait_until_silence_is_answered(stack: Stack, path: str = "/queued") -> None:
    """Wait for as long as the gateway is patient with a client that sends nothing."""
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
    """More silent uploads than there are slots: none of them is queued, and what comes is answered."""
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
    """After its time, and the target has seen nothing of it."""
    impatient.forget_arrivals()
    assert is_answered_408(exchange_bytes(impatient.gateway_port, request(path, framing)))
    assert impatient.arrivals() == []


@each_way
@pytest.mark.parametrize("framing", [CHUNKED, LARGE], ids=["chunked", "large"])
def test_an_upload_that_trickles_is_answered_408_and_its_slot_is_free(
    impatient: Stack, path: str, framing: bytes
) -> None:
    """A byte now and then, each in time, is not fast enough."""
    with client_of(impatient, request(path, framing)) as client:
        client.settimeout(0.2)
        said = b""
        while not said:
            with contextlib.suppress(TimeoutError):
                client.sendall(chunk(b"x") if framing is CHUNKED else b"x")
                said = client.recv(65536)
    assert is_answered_408(said)
    wait_until("its slot is free", lambda: slot_is_free(impatient))


def test_an_upload_that_stops_after_its_first_piece_frees_its_slot(impatient: Stack) -> None:
    """The slot is taken with the first piece, and free again when the client has been silent for too long."""
    with client_of(impatient, request("/queued", LARGE) + b"x" * 8000) as client:
        wait_until("it has its slot", lambda: impatient.in_flight() == 1)
        assert is_answered_408(client.recv(65536))
    wait_until("its slot is free", lambda: slot_is_free(impatient))


def test_a_client_that_waits_for_100_gets_it_with_its_slot(tmp_path: Path) -> None:
    """It is not waited for while it waits itself: it is told to continue when a worker wants its body."""
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
def test_a_client_that_was_told_to_continue_and_does_not_is_answered_408(impatient: Stack, path: str) -> None:
    """From the 100 on, it has the same patience as all others, and its slot is free after it."""
    said = exchange_bytes(impatient.gateway_port, request(path, LARGE, EXPECTS))
    continued, _, said = said.partition(b"\r\n\r\n")
    assert continued == b"HTTP/1.1 100 Continue"
    assert is_answered_408(said)
    wait_until("its slot is free", lambda: slot_is_free(impatient))


@each_way
@pytest.mark.parametrize("expects", [b"", EXPECTS], ids=["", "expects"])
def test_a_body_that_comes_with_its_head_is_carried(patient: Stack, path: str, expects: bytes) -> None:
    """Also one that is empty, and one whose client says that it waits, and does not."""
    for body in (b"", b"abc", b"x" * 300_000):
        sent = request(path, CHUNKED, expects, b"Connection: close\r\n") + (chunk(body) if body else b"") + b"0\r\n\r\n"
        said = exchange_bytes(patient.gateway_port, sent)
        assert b'"body_length":%d' % len(body) in said.replace(b": ", b":")


def test_a_client_that_leaves_before_its_first_piece_is_noticed(tmp_path: Path) -> None:
    """Nobody waits for it any longer: an ending gateway would wait as well."""
    with a_stack(tmp_path, "1000", slots=0) as stack:
        with client_of(stack, request("/queued", CHUNKED)):
            pass
        stack.processes["gateway"].terminate()
        assert stack.processes["gateway"].wait(PATIENCE_SECONDS) == 0


Answer = Callable[[socket.socket, bytes], None]


def _much(connection: socket.socket, head: bytes) -> None:
    """A target whose responses have no end, or a far one; for /check it has a short one."""
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
        scripted_target(_much) as (port, _),
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
def test_a_client_that_takes_nothing_is_broken_off(endless: Stack, path: str, kind: str, takes_head: bool) -> None:
    """Its connection is reset, in the midst of the response; the call to the target ends and the slot is free."""
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
    """A target that takes live audio, sends it, sends two events, or takes an upload late, by the query."""

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
    """A client of its own thread, which is slow, or waits, until it is told to finish."""

    def __init__(self, stack: Stack, path: str, kind: str) -> None:
        self._stack = stack
        self._path = path
        self._kind = kind
        self._ends = threading.Event()
        self._said = b""

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
        assert self._said.startswith(b"HTTP/1.1 200 "), (self._path, self._kind, self._said[:200])
        assert b"end" in self._said, (self._path, self._kind)

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
                self._said += piece


def test_clients_that_are_slow_but_steady_are_carried(tmp_path: Path) -> None:
    """Live audio up and down, events that are rare, and a target that takes no upload: each outlives who is silent."""
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
