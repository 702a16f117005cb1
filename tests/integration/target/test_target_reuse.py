"""Requests that find their idle connection closed by the target."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from fast_priority.errors import TargetClosed
from fast_priority.support.socket_look import SocketLook
from tests.harness import scripted_target
from tests.integration.target.target_rig import (
    LARGE,
    OK,
    PATIENCE_SECONDS,
    AnyBody,
    Deed,
    Run,
    as_body,
    ask,
    close,
    reset,
    target_at,
)

UNASKED = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def send_unasked(connection: socket.socket) -> None:
    connection.sendall(UNASKED)


def send_unasked_and_close(connection: socket.socket) -> None:
    connection.sendall(UNASKED)
    connection.shutdown(socket.SHUT_RDWR)


def send_a_byte(connection: socket.socket) -> None:
    connection.sendall(b"\n")


deeds = pytest.mark.parametrize("deed", [close, reset, send_unasked, send_unasked_and_close, send_a_byte])


class Disloyal:
    """A target that answers each request, and acts on the first connection once its response is over."""

    def __init__(self, deed: Deed) -> None:
        self._deed = deed
        self._may_act, self._has_acted = threading.Event(), threading.Event()
        self._has_answered = False
        self.received = b""

    def answer(self, connection: socket.socket, head: bytes) -> None:
        if self._has_answered:
            self.received = _body_behind(connection, head)
            connection.sendall(OK)
            return
        self._has_answered = True
        connection.sendall(OK)
        assert self._may_act.wait(PATIENCE_SECONDS)
        self._deed(connection)
        self._has_acted.set()

    def act(self) -> None:
        """Let it act, and wait for that in the thread of the event loop, which cannot read meanwhile."""
        self._may_act.set()
        assert self._has_acted.wait(PATIENCE_SECONDS)


def _body_behind(connection: socket.socket, head: bytes) -> bytes:
    head, _, body = head.partition(b"\r\n\r\n")
    if b"chunked" in head:
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
    elif b"Content-Length: " in head.title():
        length = int(head.title().split(b"Content-Length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
    return body


async def ask_after(disloyal: Disloyal, port: int, method: str, body: AnyBody) -> tuple[int, bytes]:
    async with target_at(port) as target:
        await ask(target)
        disloyal.act()
        return await ask(target, method, as_body(body))


@deeds
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_what_has_arrived_on_an_idle_connection_is_seen(run_on_loop: Run, deed: Deed, method: str) -> None:
    """A connection that the target closed, or sent bytes on, is not used: the request is sent once, on another one."""
    disloyal = Disloyal(deed)
    with scripted_target(disloyal.answer) as (port, heads):
        assert run_on_loop(ask_after(disloyal, port, method, b"body")) == (200, b"ok")
    assert len(heads) == 2
    assert disloyal.received == b"body"


@deeds
def test_an_upload_goes_on_another_connection_too(run_on_loop: Run, deed: Deed) -> None:
    """A body that comes in pieces goes whole on another connection."""
    disloyal = Disloyal(deed)
    with scripted_target(disloyal.answer) as (port, heads):
        assert run_on_loop(ask_after(disloyal, port, "POST", (b"one", b"two"))) == (200, b"ok")
    assert len(heads) == 2
    assert disloyal.received == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize("deed", [close, reset])
def test_the_fast_path_does_not_use_a_closed_connection(run_on_loop: Run, deed: Deed) -> None:
    """A request that could be sent at once is not sent on a connection that the target has closed."""
    disloyal = Disloyal(deed)

    async def begin() -> bool:
        async with target_at(port) as target:
            await ask(target)
            disloyal.act()
            return target.exchange("POST", b"/x", [], b"body").begin_now(lambda: None)

    with scripted_target(disloyal.answer) as (port, heads):
        assert not run_on_loop(begin())
    assert len(heads) == 1


def test_each_idle_connection_is_checked(run_on_loop: Run) -> None:
    """Of several idle connections that the target has closed, none is used."""
    all_are_open, may_close = threading.Barrier(3), threading.Event()
    closed = threading.Semaphore(0)

    def answer(connection: socket.socket, head: bytes) -> None:
        if may_close.is_set():
            connection.sendall(OK)
            return
        all_are_open.wait(PATIENCE_SECONDS)
        connection.sendall(OK)
        assert may_close.wait(PATIENCE_SECONDS)
        close(connection)
        closed.release()

    async def ask_all() -> tuple[int, bytes]:
        async with target_at(port) as target:
            await asyncio.gather(*(ask(target) for _ in range(3)))
            may_close.set()
            assert all(closed.acquire(timeout=PATIENCE_SECONDS) for _ in range(3))
            return await ask(target, "POST", b"body")

    with scripted_target(answer) as (port, heads):
        assert run_on_loop(ask_all()) == (200, b"ok")
    assert len(heads) == 4


def test_a_connection_that_was_closed_before_an_upload_began(run_on_loop: Run) -> None:
    """A connection that the target has closed while the first piece of a body was awaited is not used."""
    disloyal = Disloyal(close)

    async def body() -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        disloyal.act()
        yield b"late"

    async def upload() -> tuple[int, bytes]:
        async with target_at(port) as target:
            await ask(target)
            return await ask(target, "POST", body())

    with scripted_target(disloyal.answer) as (port, heads):
        assert run_on_loop(upload()) == (200, b"ok")
    assert len(heads) == 2


# A first write that the system refuses.


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks of a socket see nothing, as if all happened just after them."""
    monkeypatch.setattr(SocketLook, "is_quiet", lambda look: True)


@pytest.mark.usefixtures("blind_looks")
@pytest.mark.parametrize(
    ("body", "received"),
    [
        (b"", b""),
        (b"body", b"body"),
        (LARGE, LARGE),
        ((b"one", b"two"), b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        ((LARGE,), b"493e0\r\n" + LARGE + b"\r\n0\r\n\r\n"),
    ],
    ids=["no body", "small", "two writes", "upload", "large piece"],
)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_first_write_that_fails_is_no_attempt(run_on_loop: Run, method: str, body: AnyBody, received: bytes) -> None:
    """A request of which the system accepted no byte goes whole on another connection, whatever its method."""
    disloyal = Disloyal(reset)
    with scripted_target(disloyal.answer) as (port, heads):
        assert run_on_loop(ask_after(disloyal, port, method, body)) == (200, b"ok")
    assert len(heads) == 2
    assert disloyal.received == received


@pytest.mark.usefixtures("blind_looks")
def test_a_failed_first_write_leaves_the_exchange_unbegun(run_on_loop: Run) -> None:
    """A request of which the system accepted no byte can begin again on another connection."""
    disloyal = Disloyal(reset)

    async def begin() -> tuple[bool, int]:
        async with target_at(port) as target:
            await ask(target)
            disloyal.act()
            exchange = target.exchange("POST", b"/x", [], b"body")
            has_begun = exchange.begin_now(lambda: None)
            async with exchange as response:
                return has_begun, response.status

    with scripted_target(disloyal.answer) as (port, heads):
        assert run_on_loop(begin()) == (False, 200)
    assert len(heads) == 2


@pytest.mark.usefixtures("blind_looks")
def test_a_write_that_succeeded_is_an_attempt(run_on_loop: Run) -> None:
    """A request of which the system accepted a byte is not sent again: the target may have it."""
    disloyal = Disloyal(close)
    with scripted_target(disloyal.answer) as (port, heads), pytest.raises(TargetClosed):
        run_on_loop(ask_after(disloyal, port, "POST", b"body"))
    assert len(heads) == 1
