"""Acts out what goes wrong below HTTP."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from random import Random

from mock_target.handler.asgi_io import client_leaves_within, send_head, send_pieces, wait_until_client_leaves
from mock_target.handler.asgi_types import Receive, Send
from mock_target.handler.raw_connection import Wire
from mock_target.responses import Answer, Piece, cut
from mock_target.settings import MAX_SECONDS, Fault

FAULTS_WITHOUT_ANSWER = frozenset({Fault.RESET, Fault.EMPTY, Fault.GARBAGE, Fault.HANG})
FAULTS_WITHOUT_WIRE = frozenset({Fault.HANG, Fault.SLOW_CLOSE})

# The first byte begins neither a status line nor a chunk.
_NO_HTTP = b"\xff"
_GARBAGE_BYTES = 1024


def make_garbage(seed: float) -> bytes:
    """Make a kilobyte that is no HTTP, the same for the same seed."""
    return _NO_HTTP + Random(seed).randbytes(_GARBAGE_BYTES - 1)  # noqa: S311 - garbage is no secret


async def leave_unanswered(fault: Fault, wire: Wire | None, garbage_seed: float, receive: Receive) -> None:
    """Act out one of `FAULTS_WITHOUT_ANSWER`, and wait until the connection has ended."""
    if fault is Fault.HANG and await client_leaves_within(MAX_SECONDS, receive):
        return
    if wire is None:
        return
    if fault is Fault.RESET:
        wire.reset()
    else:
        if fault is Fault.GARBAGE:
            wire.write(make_garbage(garbage_seed))
        wire.close()
    # To return before that is a mistake in uvicorn's eyes, which it would answer with 500.
    await wait_until_client_leaves(receive)


async def break_off(
    fault: Fault, answer: Answer, wire: Wire, garbage_seed: float, receive: Receive, send: Send
) -> None:
    """Begin an answer and act out one of the faults that spoil it, and wait until the connection has ended."""
    if fault is Fault.MALFORMED:
        # Without a length the head promises chunks.
        await send_head(replace(answer, length_bytes=None), send)
        wire.write(make_garbage(garbage_seed))
        wire.close()
    else:
        # An answer of no bytes promises one, as there has to be something to miss.
        promised_bytes = None if answer.length_bytes is None else max(answer.length_bytes, 1)
        await send_head(replace(answer, length_bytes=promised_bytes), send)
        await send_pieces(_half_of(answer), receive, send, is_whole=False)
        await wire.flush()
        if fault is Fault.RESET_MIDWAY:
            wire.reset()
        else:
            wire.close()
    await wait_until_client_leaves(receive)


def _half_of(answer: Answer) -> Iterable[Piece]:
    if answer.length_bytes is None:
        return islice(answer.pieces, 1)
    return cut(answer.pieces, answer.length_bytes // 2)
