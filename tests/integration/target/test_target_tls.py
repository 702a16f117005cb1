"""Kept connections and early responses over TLS, where arriving bytes are not known before they are read."""

import gc
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from fast_priority.errors import TargetUnreachable
from fast_priority.http.message import TargetPolicy
from fast_priority.target import Body, Target
from fast_priority.target.tls import ReadableContext
from tests.integration.target.target_rig import LARGE, OK, PATIENCE_SECONDS, Run, ask, target_at

TlsDeed = Callable[[ssl.SSLSocket], None]


def say_goodbye(connection: ssl.SSLSocket) -> None:
    """Send close_notify, and keep the TCP connection open."""
    connection.settimeout(0.01)
    with suppress(OSError):
        connection.unwrap()


def close_at_once(connection: ssl.SSLSocket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def send_unasked(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")


class TlsTarget:
    """A target that answers the first request and then does something to its connection, and answers all others."""

    def __init__(self, deed: TlsDeed, answer: bytes = OK, name: str = "127.0.0.1") -> None:
        authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self._context)
        self.client_context = ReadableContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(self.client_context)
        self._deed = deed
        self._answer = answer
        self._may_act, self._has_acted = threading.Event(), threading.Event()
        self.requests = 0

    def act(self) -> None:
        """Let it act, and wait for that; the event loop cannot read meanwhile."""
        self._may_act.set()
        assert self._has_acted.wait(PATIENCE_SECONDS)

    @contextmanager
    def running(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self._serve, args=(listener,), daemon=True)
            thread.start()
            try:
                yield listener.getsockname()[1]
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join(PATIENCE_SECONDS)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(accepted,), daemon=True).start()

    def _one(self, accepted: socket.socket) -> None:
        # Otherwise a response may wait behind a session ticket, and is lost when the target closes the connection.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError), self._context.wrap_socket(accepted, server_side=True) as connection:
            while connection.recv(16384):
                self.requests += 1
                connection.sendall(self._answer)
                if self.requests == 1:
                    assert self._may_act.wait(PATIENCE_SECONDS)
                    self._deed(connection)
                    self._has_acted.set()
                    if connection.fileno() < 0:
                        return


async def ask_after(tls: TlsTarget, port: int, method: str, body: Body) -> tuple[int, bytes]:
    async with target_at(port, "https") as target:
        target.pool._connector._ssl = tls.client_context
        await ask(target)
        tls.act()
        return await ask(target, method, body)


@pytest.mark.parametrize("deed", [say_goodbye, close_at_once, send_unasked])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_connection_is_checked(run_on_loop: Run, deed: TlsDeed, method: str) -> None:
    """A connection on which the end of TLS, of TCP or a response has arrived is not used for the next request."""
    tls = TlsTarget(deed)
    with tls.running() as port:
        assert run_on_loop(ask_after(tls, port, method, b"body")) == (200, b"ok")
    assert tls.requests == 2


def test_a_connection_is_used_again(run_on_loop: Run) -> None:
    """A connection on which nothing has arrived is used again: what TLS sends at its beginning has been read."""
    ports = []

    def note(connection: ssl.SSLSocket) -> None:
        ports.append(connection.getpeername()[1])

    async def ask_three_times() -> int:
        async with target_at(port, "https") as target:
            target.pool._connector._ssl = tls.client_context
            tls._may_act.set()
            await ask(target)
            await ask(target)
            await ask(target)
            return len(target.pool.idle)

    tls = TlsTarget(note)
    with tls.running() as port:
        assert run_on_loop(ask_three_times()) == 1
    assert tls.requests == 3


async def upload_to(tls: TlsTarget, port: int, body: AsyncIterator[bytes]) -> tuple[int, bytes]:
    async with target_at(port, "https") as target:
        target.pool._connector._ssl = tls.client_context
        return await ask(target, "POST", body)


REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!"


def refusing() -> TlsTarget:
    """A target that refuses an upload when it has read a piece of it, and closes the connection."""
    return TlsTarget(lambda connection: connection.close(), REFUSAL)


async def going_on_when_refused(tls: TlsTarget) -> AsyncIterator[bytes]:
    yield LARGE
    tls.act()
    for _ in range(10):
        yield LARGE


def test_a_response_during_an_upload(run_on_loop: Run) -> None:
    """A response that came during the upload is returned, also if the target closed the connection after it."""
    tls = refusing()
    with tls.running() as port:
        assert run_on_loop(upload_to(tls, port, going_on_when_refused(tls))) == (401, b"no!")


def test_an_upload_goes_on_over_tls(run_on_loop: Run) -> None:
    """A body of many pieces goes out whole, while the target sends nothing."""
    received = 0

    def read_all(connection: ssl.SSLSocket) -> None:
        nonlocal received
        end = b""
        while not end.endswith(b"0\r\n\r\n"):
            read = connection.recv(65536)
            assert read
            received += len(read)
            end = (end + read)[-5:]
        connection.sendall(OK)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield LARGE

    tls = TlsTarget(read_all, b"HTTP/1.1 102 Processing\r\n\r\n")
    tls._may_act.set()
    with tls.running() as port:
        assert run_on_loop(upload_to(tls, port, pieces())) == (200, b"ok")
    assert received > 19 * len(LARGE)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_an_untrusted_target_gets_nothing(run_on_loop: Run, name: str) -> None:
    """With a certificate that is not trusted, or for another name, no byte of the request is sent."""

    async def post() -> None:
        async with target_at(port, "https") as target:
            if name != "127.0.0.1":
                target.pool._connector._ssl = tls.client_context
            with pytest.raises(TargetUnreachable):
                await ask(target, "POST", b"body")

    tls = TlsTarget(lambda connection: None, name=name)
    with tls.running() as port:
        run_on_loop(post())
    assert tls.requests == 0


def test_the_name_in_tls(run_on_loop: Run) -> None:
    """With a client's Host among the fields, TLS still names the target, whose certificate is checked."""
    names: list[str | None] = []
    tls = TlsTarget(lambda _: None, name="localhost")
    tls._context.sni_callback = lambda _, name, __: names.append(name)
    tls._may_act.set()

    async def ask_with_host() -> int:
        async with Target(TargetPolicy(f"https://localhost:{port}", 10.0, 20.0, 0)) as target:
            target.pool._connector._ssl = tls.client_context
            async with target.exchange("GET", b"/x", [(b"host", b"client.example")], b"") as response:
                return response.status

    with tls.running() as port:
        assert run_on_loop(ask_with_host()) == 200
    assert names == ["localhost"]


class ResettingTarget(TlsTarget):
    """A target that resets each connection as soon as TLS is there."""

    def _one(self, accepted: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(accepted, server_side=True) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_look_at_a_target_that_resets_logs_no_traceback(run_on_loop: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that breaks off while a look waits for it leaves no error that nobody has looked at."""

    async def look() -> None:
        async with target_at(port, "https") as target:
            target.pool._connector._ssl = tls.client_context
            for _ in range(5):
                await target.problem()
        gc.collect()

    tls = ResettingTarget(say_goodbye)
    with tls.running() as port:
        run_on_loop(look())
    assert [line for line in caplog.messages if "never retrieved" in line] == []
