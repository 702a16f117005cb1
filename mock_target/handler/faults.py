"""Faults below HTTP: connections that are closed, reset or filled with garbage."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from random import Random

from mock_target.handler.asgi_io import disconnects_within, send_head, send_pieces, wait_for_disconnect
from mock_target.handler.asgi_types import Receive, Send
from mock_target.handler.raw_connection import RawConnection
from mock_target.responses import MockResponse, Piece, truncate
from mock_target.settings import MAX_SECONDS, Fault

FAULTS_WITHOUT_RESPONSE = frozenset({Fault.RESET, Fault.EMPTY, Fault.GARBAGE, Fault.HANG})
FAULTS_WITHOUT_RAW_CONNECTION = frozenset({Fault.HANG, Fault.SLOW_CLOSE})

# No status line and no chunk starts with this byte.
_NOT_HTTP = b"\xff"
_GARBAGE_BYTES = 1024


def make_garbage(seed: float) -> bytes:
    """Return a kilobyte that is not HTTP, the same for the same seed."""
    return _NOT_HTTP + Random(seed).randbytes(_GARBAGE_BYTES - 1)  # noqa: S311 - garbage is no secret


async def fail_without_response(
    fault: Fault, connection: RawConnection | None, garbage_seed: float, receive: Receive
) -> None:
    """Apply one of `FAULTS_WITHOUT_RESPONSE`, and wait until the connection has ended."""
    if fault is Fault.HANG and await disconnects_within(MAX_SECONDS, receive):
        return
    if connection is None:
        return
    if fault is Fault.RESET:
        connection.reset()
    else:
        if fault is Fault.GARBAGE:
            connection.write(make_garbage(garbage_seed))
        connection.close()
    # If the application returned before that, uvicorn would send a 500.
    await wait_for_disconnect(receive)


async def send_partial_response(
    fault: Fault, response: MockResponse, connection: RawConnection, garbage_seed: float, receive: Receive, send: Send
) -> None:
    """Start a response, break it off with a fault, and wait until the connection has ended."""
    if fault is Fault.MALFORMED:
        # Without a length the head announces chunked encoding.
        await send_head(replace(response, length_bytes=None), send)
        connection.write(make_garbage(garbage_seed))
        connection.close()
    else:
        # An empty body is announced with one byte, so that something is missing.
        announced_bytes = None if response.length_bytes is None else max(response.length_bytes, 1)
        await send_head(replace(response, length_bytes=announced_bytes), send)
        await send_pieces(_first_half(response), receive, send, ends_response=False)
        await connection.flush()
        if fault is Fault.RESET_MIDWAY:
            connection.reset()
        else:
            connection.close()
    await wait_for_disconnect(receive)


def _first_half(response: MockResponse) -> Iterable[Piece]:
    if response.length_bytes is None:
        return islice(response.pieces, 1)
    return truncate(response.pieces, response.length_bytes // 2)
