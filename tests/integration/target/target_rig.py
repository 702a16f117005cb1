"""Targets that close connections at the worst moments, and requests to them; the fixtures are in conftest.py."""

import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from fast_priority.http.message import TargetPolicy
from fast_priority.target import Body, Target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE_SECONDS = 30
LARGE = b"x" * 300_000
"""A body that needs more than one write."""

Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""A function that runs a coroutine on an event loop."""
Deed = Callable[[socket.socket], None]
"""What a target does with a connection."""
AnyBody = bytes | tuple[bytes, ...]
"""A whole body, or its pieces."""


def close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def target_at(port: int, scheme: str = "http") -> Target:
    return Target(TargetPolicy(f"{scheme}://127.0.0.1:{port}", 10.0, 20.0, 1 << 20))


async def ask(target: Target, method: str = "GET", body: Body = b"") -> tuple[int, bytes]:
    """Send a request and return the response's status and body."""
    async with target.exchange(method, b"/x", [], body) as response:
        return response.status, b"".join([piece async for piece in response.chunks()])


async def post_to(port: int, body: AnyBody) -> tuple[int, bytes]:
    """Send a POST to a target that has no connection yet."""
    async with target_at(port) as target:
        return await ask(target, "POST", as_body(body))


def as_body(body: AnyBody) -> Body:
    return body if isinstance(body, bytes) else _in_pieces(body)


async def _in_pieces(pieces: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
