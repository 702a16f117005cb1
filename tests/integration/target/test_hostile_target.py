"""A hostile target: it can waste its own slot for the timeout, and no more than that."""

import gzip
import socket
from collections.abc import Callable

import pytest

from fast_priority.errors import TargetError, TargetTimeout
from fast_priority.http.message import TargetPolicy
from fast_priority.target import Target
from tests.harness import scripted_target

Answer = Callable[[socket.socket, bytes], None]


def without_end(begin: bytes, again: bytes) -> Answer:
    """Answer with `begin`, and then with `again` until the connection ends."""

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.settimeout(30)
        try:
            connection.sendall(begin)
            while True:
                connection.sendall(again)
        except OSError:
            return

    return answer


async def body_from(answer: Answer, most_bytes: int = 1024 * 1024) -> tuple[int, bytes]:
    with scripted_target(answer) as (port, _):
        policy = TargetPolicy(f"http://127.0.0.1:{port}", 1.0, 1.0, 0)
        async with (
            Target(policy) as target,
            target.exchange("GET", b"/", [], b"", most_response_bytes=most_bytes) as response,
        ):
            return response.status, b"".join([bytes(piece) async for piece in response.chunks()])


WITHOUT_END = {
    "fields": (b"HTTP/1.1 200 OK\r\n", b"X-Field: value\r\n" * 64),
    "one field": (b"HTTP/1.1 200 OK\r\nX-Field: ", b"a" * 4096),
    "one field name": (b"HTTP/1.1 200 OK\r\nX", b"a" * 4096),
    "a reason phrase": (b"HTTP/1.1 200 ", b"a" * 4096),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 64),
    "go-aheads": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 64),
    "a chunk extension": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 4096),
    "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Field: value\r\n" * 64),
    "a body": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"a" * 4096),
    "blank lines": (b"", b"\r\n" * 2048),
}


@pytest.mark.parametrize(("begin", "again"), WITHOUT_END.values(), ids=WITHOUT_END)
async def test_a_part_without_an_end(begin: bytes, again: bytes) -> None:
    """A response of which a part never ends is an error, by its size or by time."""
    with pytest.raises(TargetError):
        await body_from(without_end(begin, again))


@pytest.mark.parametrize("piece", [b"X", b"X-Field: value\r\n"], ids=["bytes", "fields"])
async def test_a_head_that_drips(piece: bytes) -> None:
    """The whole head has to come within the timeout, however often a piece of it comes."""

    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        connection.settimeout(0.05)
        for _turn in range(600):
            try:
                connection.sendall(piece)
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    with pytest.raises(TargetTimeout):
        await body_from(drip)


async def test_a_compressed_body_is_not_unpacked() -> None:
    """A compressed body is forwarded unchanged, and is never decompressed."""
    bomb = gzip.compress(b"\x00" * 64 * 1024 * 1024)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert await body_from(lambda connection, _: connection.sendall(head + bomb)) == (200, bomb)
