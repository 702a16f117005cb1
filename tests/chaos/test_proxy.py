"""The proxy itself: each fault does what its name says, so that scenarios prove what they claim."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from fast_priority.local.child_processes import wait_until
from tests.chaos.link_faults import HalfCloseAfter, Hold, ResetAfter, Swallow
from tests.chaos.proxy import Proxies, Proxy


@pytest.fixture
def echo_port() -> Iterator[int]:
    """Return the port of a server that echoes everything."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_echo, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxies() as proxies:
        yield proxies.before(echo_port)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        yield connection


def test_bytes_pass(client: socket.socket) -> None:
    """Without a fault all bytes pass, both ways."""
    client.sendall(b"hello")
    assert client.recv(100) == b"hello"


def test_held_bytes_come_later(proxy: Proxy, client: socket.socket) -> None:
    """Held bytes are not lost: all arrive when the fault ends."""
    proxy.upstream = Hold()
    client.sendall(b"held")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(10)
    proxy.heal()
    assert client.recv(100) == b"held"


def test_only_the_matching_piece_is_held(proxy: Proxy, client: socket.socket) -> None:
    """A fault that holds one piece lets the pieces before it pass."""
    proxy.upstream = Hold(where=lambda piece: b"this" in piece)
    client.sendall(b"that")
    assert client.recv(100) == b"that"
    client.sendall(b"this")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(100)


def test_a_connection_that_lost_bytes_is_reset(proxy: Proxy, client: socket.socket) -> None:
    """A connection that lost bytes is reset when the fault ends; it never goes on without them."""
    proxy.inject(Swallow())
    client.sendall(b"lost")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(10)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_response_is_cut_off(proxy: Proxy, client: socket.socket) -> None:
    """The connection is reset after so many bytes; what arrives is a prefix of them."""
    proxy.downstream = ResetAfter(3)
    client.sendall(b"hello")
    received = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(100):
            received += piece
        pytest.fail("it ended in an orderly way")
    assert b"hel".startswith(received)


def test_a_direction_is_closed(proxy: Proxy, client: socket.socket) -> None:
    """After so many bytes one direction ends with a normal end of file."""
    proxy.downstream = HalfCloseAfter(3)
    client.sendall(b"hello")
    received = b""
    while piece := client.recv(100):
        received += piece
    assert received == b"hel"


def test_connections_are_refused_and_accepted_again(proxy: Proxy, client: socket.socket) -> None:
    """A proxy that refuses is like a port without a listener, until it accepts again."""
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    proxy.accept()
    socket.create_connection(("127.0.0.1", proxy.port), timeout=10).close()


def test_all_connections_are_reset(proxy: Proxy, client: socket.socket) -> None:
    """A reset reaches both ends at once, although nothing is being sent."""
    client.sendall(b"hello")
    wait_until("it is connected", lambda: client.recv(100) == b"hello")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while piece := connection.recv(65536):
                connection.sendall(piece)
        except OSError:
            return
