"""A target that means ill: it can waste its own slot for the timeout, and no more than that."""

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
    """Answer with these bytes, and then with those for as long as anybody listens."""

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
async def test_what_has_no_end_is_ended(begin: bytes, again: bytes) -> None:
    """A target that never comes to the end of something is given up, by size or by time."""
    with pytest.raises(TargetError):
        await body_from(without_end(begin, again))


@pytest.mark.parametrize("piece", [b"X", b"X-Field: value\r\n"], ids=["bytes", "fields"])
async def test_a_head_that_drips_is_given_up(piece: bytes) -> None:
    """A head has the timeout to come, however often something of it does."""

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


async def test_what_is_compressed_stays_so() -> None:
    """A body of a few bytes that would unfold to many is passed on as the few bytes it is."""
    bomb = gzip.compress(b"\x00" * 64 * 1024 * 1024)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert await body_from(lambda connection, _: connection.sendall(head + bomb)) == (200, bomb)
