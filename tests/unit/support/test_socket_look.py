"""SocketLook: what has arrived at a socket and is not read yet."""

import socket
import struct
from collections.abc import Iterator

import pytest

from fast_priority.support.socket_look import SocketLook
from tests.harness import wait_until

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a TCP connection: ours, which does not block, and the other side's."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as ours:
        ours.setblocking(False)
        theirs, _ = listener.accept()
        with theirs:
            yield ours, theirs


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_nothing_has_arrived(pair: Pair) -> None:
    """A connection on which nothing has arrived is quiet, has not ended, and has no rest."""
    look = SocketLook(pair[0].fileno())
    assert look.is_quiet()
    assert not look.has_ended()
    assert look.read_rest(100) == b""


def test_bytes_are_seen_and_stay(pair: Pair) -> None:
    """A look sees bytes that have arrived and leaves them there; only reading the rest takes them."""
    ours, theirs = pair
    theirs.sendall(b"unasked")
    look = SocketLook(ours.fileno())
    wait_until("the bytes are there", lambda: not look.is_quiet())
    assert not look.has_ended()
    assert look.read_rest(100) == b"unasked"
    assert look.is_quiet()


def test_an_end_is_seen(pair: Pair) -> None:
    """A connection that the other side has closed is not quiet, and has ended."""
    ours, theirs = pair
    theirs.close()
    look = SocketLook(ours.fileno())
    wait_until("the end is there", lambda: not look.is_quiet())
    assert look.has_ended()
    assert look.read_rest(100) == b""


def test_an_end_behind_bytes(pair: Pair) -> None:
    """While bytes are left to be read, the connection has not ended."""
    ours, theirs = pair
    theirs.sendall(b"answer")
    theirs.close()
    look = SocketLook(ours.fileno())
    wait_until("the bytes are there", lambda: not look.is_quiet())
    assert not look.has_ended()
    assert look.read_rest(100) == b"answer"
    assert look.has_ended()


def test_a_reset_is_seen(pair: Pair) -> None:
    """A connection that the other side has reset is not quiet, and has ended."""
    ours, theirs = pair
    reset(theirs)
    look = SocketLook(ours.fileno())
    wait_until("the reset is there", lambda: not look.is_quiet())
    assert look.has_ended()


def test_bytes_before_a_reset(pair: Pair) -> None:
    """Bytes that came before a reset can be read after it, also after a write has failed."""
    ours, theirs = pair
    ours.sendall(b"request")
    theirs.sendall(b"answer")
    reset(theirs)

    def write_fails() -> bool:
        try:
            ours.send(b"more")
        except OSError:
            return True
        return False

    wait_until("a write fails", write_fails)
    look = SocketLook(ours.fileno())
    assert look.read_rest(3) == b"ans"
    assert look.read_rest(100) == b"wer"


def test_looking_closes_nothing(pair: Pair) -> None:
    """After all looks, bytes still go in both directions."""
    ours, theirs = pair
    theirs.sendall(b"one")
    look = SocketLook(ours.fileno())
    wait_until("the bytes are there", lambda: not look.is_quiet())
    assert not look.has_ended()
    ours.sendall(b"two")
    assert (ours.recv(100), theirs.recv(100)) == (b"one", b"two")
