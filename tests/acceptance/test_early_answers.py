"""The client gets the answer of a target that answers before it has read the upload, queued and on pass-through."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.harness import Stack, running_stack, scripted_target
from tests.redis_servers import loopback_redis

PATIENCE_SECONDS = 60
BODY = b"x" * 5 * 1024 * 1024
TIMES = 10
REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!"
REFUSAL_AND_CLOSE = REFUSAL.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


def close(connection: socket.socket) -> None:
    """Close at once: what the client sends later is reset."""
    connection.sendall(REFUSAL_AND_CLOSE)
    connection.close()


def close_without_notice(connection: socket.socket) -> None:
    """The same, without `Connection: close` in the answer."""
    connection.sendall(REFUSAL)
    connection.close()


def read_a_little(connection: socket.socket) -> None:
    """Answer, read some of the body, and close."""
    connection.sendall(REFUSAL_AND_CLOSE)
    _read(connection, 200_000)
    connection.close()


def answer_late(connection: socket.socket) -> None:
    """Read some of the body, answer, and close."""
    _read(connection, 2_000_000)
    connection.sendall(REFUSAL_AND_CLOSE)
    connection.close()


def reset(connection: socket.socket) -> None:
    """Answer, and reset the connection."""
    connection.sendall(REFUSAL_AND_CLOSE)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_close(connection: socket.socket) -> None:
    """Answer, end the sending side, and read on."""
    connection.sendall(REFUSAL_AND_CLOSE)
    connection.shutdown(socket.SHUT_WR)
    _read(connection, len(BODY))


def _read(connection: socket.socket, most_bytes: int) -> None:
    read = 0
    while read < most_bytes and (piece := connection.recv(65536)):
        read += len(piece)


DEEDS = {deed.__name__: deed for deed in (close, close_without_notice, read_a_little, answer_late, reset, half_close)}


def refuse(connection: socket.socket, head: bytes) -> None:
    name = head.split(b" ")[1].rpartition(b"/")[2].decode()
    with suppress(OSError):
        DEEDS[name](connection)


@pytest.fixture(scope="module")
def refusing_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose target does what the last segment of the path says."""
    with (
        scripted_target(refuse) as (port, _),
        loopback_redis() as redis_port,
        running_stack(redis_port, tmp_path_factory.mktemp("refusing")) as stack,
    ):
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        stack.start_workers()
        yield stack


def upload(port: int, path: str, framing: bytes, body: bytes) -> bytes:
    """Send a whole body, whatever comes meanwhile; return the status line and the last bytes of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as client:

        def send() -> None:
            with suppress(OSError):  # the answer may end the connection
                client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + framing + b"\r\n\r\n" + body)

        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        received = b""
        with suppress(OSError):
            while not received.endswith(b"no!") and (piece := client.recv(65536)):
                received += piece
    sending.join(PATIENCE_SECONDS)
    return received.partition(b"\r\n")[0] + received[-3:]


LENGTH = (b"Content-Length: %d" % len(BODY), BODY)
CHUNKS = (b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("way", ["direct", "queued"])
@pytest.mark.parametrize("framed", [LENGTH, CHUNKS], ids=["length", "chunks"])
def test_a_refusal_is_heard(
    refusing_stack: Stack, way: str, deed: Callable[[socket.socket], None], framed: tuple[bytes, bytes]
) -> None:
    """A client that sends 5 MiB gets the target's 401, each time, however the target ends the connection."""
    path = f"/{way}/{deed.__name__}"
    answers = [upload(refusing_stack.gateway_port, path, *framed) for _ in range(TIMES)]
    assert answers == [b"HTTP/1.1 401 Unauthorized" + b"no!"] * TIMES
