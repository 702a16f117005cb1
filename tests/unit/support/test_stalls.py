"""Timeouts of a loop that stood still: what has come is read before they count."""

import asyncio
import socket
import time

import pytest

from fast_priority.support.stalls import Timeout
from fast_priority.support.timeout_queue import TimeoutQueue

PATIENCE_SECONDS = 30.0
WITHIN_SECONDS = 0.2


def stand_still() -> None:
    """Hold the event loop up for longer than what is waited for may take."""
    time.sleep(2 * WITHIN_SECONDS + 0.2)


async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, socket.socket]:
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    return reader, writer, there


async def test_what_has_come_is_read_first() -> None:
    """Bytes that came while the loop stood still are read, though the time for them is over."""
    reader, writer, other = await connected()
    with other:
        async with Timeout(WITHIN_SECONDS):
            waiting = asyncio.ensure_future(reader.readexactly(5))
            await asyncio.sleep(0)
            other.sendall(b"hello")
            stand_still()
            assert await waiting == b"hello"
        writer.close()
        await writer.wait_closed()


async def wait_in_vain(seconds: float) -> None:
    async with Timeout(seconds):
        await asyncio.Event().wait()


async def test_nothing_came() -> None:
    """A loop that stood still while nothing came times out all the same."""
    waiting = asyncio.create_task(wait_in_vain(WITHIN_SECONDS))
    await asyncio.sleep(0)
    stand_still()
    await asyncio.wait([waiting], timeout=PATIENCE_SECONDS)
    assert isinstance(waiting.exception(), TimeoutError)


async def test_a_loop_that_is_always_late_times_out() -> None:
    """A loop that is held up again and again is not an excuse for ever."""
    waiting = asyncio.create_task(wait_in_vain(WITHIN_SECONDS))
    for _ in range(20):
        await asyncio.sleep(0)
        stand_still()
        if waiting.done():
            break
    assert isinstance(waiting.exception(), TimeoutError)


async def test_an_ordinary_timeout() -> None:
    """Where nothing stands still, it is a timeout like any other; what ends in time is not bothered by it."""
    async with Timeout(PATIENCE_SECONDS):
        await asyncio.sleep(0)
    async with Timeout(None):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await wait_in_vain(0.01)


async def test_a_cancellation_is_no_timeout() -> None:
    """Who is cancelled from outside is cancelled, and does not see a timeout."""
    task = asyncio.create_task(wait_in_vain(PATIENCE_SECONDS))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_deadlines_read_first_too() -> None:
    """What came while the loop stood still ends a wait that is overdue by then."""
    reader, writer, other = await connected()
    overdue: list[str] = []
    deadlines: TimeoutQueue[str] = TimeoutQueue(WITHIN_SECONDS, overdue.append)

    async def read() -> None:
        await reader.readexactly(5)
        deadlines.end("answer")

    with other:
        deadlines.begin("answer")
        deadlines.begin("never")
        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        other.sendall(b"hello")
        stand_still()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not overdue:
                await asyncio.sleep(0)
        assert overdue == ["never"]
        await reading
        writer.close()
        await writer.wait_closed()
    deadlines.close()
