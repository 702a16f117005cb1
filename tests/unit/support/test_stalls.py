"""Timeouts after a loop stood still: what has come is read before they count."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from fast_priority.support.stalls import RunningClock, Timeout
from fast_priority.support.timeout_queue import TimeoutQueue

PATIENCE_SECONDS = 30.0
WITHIN_SECONDS = 0.2


@pytest.fixture
def stand_still(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function after which the clock of the loop shows that it was blocked for longer than the timeout."""

    def skip() -> None:
        loop = asyncio.get_running_loop()
        before = loop.time
        monkeypatch.setattr(loop, "time", lambda: before() + 2 * WITHIN_SECONDS + 0.2)

    return skip


async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, socket.socket]:
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    return reader, writer, there


async def test_a_stalled_loop_reads_first(stand_still: Callable[[], None]) -> None:
    """Bytes that came while the loop stood still are read, though their timeout is over."""
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


async def wait_without_end(seconds: float) -> None:
    async with Timeout(seconds):
        await asyncio.Event().wait()


async def test_a_stalled_loop_without_bytes(stand_still: Callable[[], None]) -> None:
    """After a stall in which nothing came, the timeout raises."""
    waiting = asyncio.create_task(wait_without_end(WITHIN_SECONDS))
    await asyncio.sleep(0)
    stand_still()
    await asyncio.wait([waiting], timeout=PATIENCE_SECONDS)
    assert isinstance(waiting.exception(), TimeoutError)


async def test_a_loop_that_is_always_late_times_out(stand_still: Callable[[], None]) -> None:
    """A loop that stands still again and again times out in the end."""
    waiting = asyncio.create_task(wait_without_end(WITHIN_SECONDS))
    for _ in range(20):
        await asyncio.sleep(0)
        stand_still()
        if waiting.done():
            break
    assert isinstance(waiting.exception(), TimeoutError)


async def test_an_ordinary_timeout() -> None:
    """Without a stall it is a timeout like any other, and does nothing to a block that ends in time."""
    async with Timeout(PATIENCE_SECONDS):
        await asyncio.sleep(0)
    async with Timeout(None):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await wait_without_end(0.01)


async def test_a_cancellation_is_no_timeout() -> None:
    """A task that is cancelled is cancelled, and does not see a timeout."""
    task = asyncio.create_task(wait_without_end(PATIENCE_SECONDS))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_queue_reads_first_too(stand_still: Callable[[], None]) -> None:
    """A key whose bytes came while the loop stood still does not expire."""
    reader, writer, other = await connected()
    expired: list[str] = []
    queue: TimeoutQueue[str] = TimeoutQueue(WITHIN_SECONDS, expired.append)

    async def read() -> None:
        await reader.readexactly(5)
        queue.end("answer")

    with other:
        queue.begin("answer")
        queue.begin("never")
        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        other.sendall(b"hello")
        stand_still()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not expired:
                await asyncio.sleep(0)
        assert expired == ["never"]
        await reading
        writer.close()
        await writer.wait_closed()
    queue.close()


class LoopTime:
    """The clock of the loop, which a test sets forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.ahead_seconds, before = 0.0, loop.time
        monkeypatch.setattr(loop, "time", lambda: before() + self.ahead_seconds)


@pytest.mark.parametrize("looks_first", ["the tick", "a reader"])
async def test_a_clock_stops_while_the_loop_stands_still(looks_first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a standstill has not passed, whether the tick or a reader notices it first."""
    loop_time, clock = LoopTime(monkeypatch), RunningClock()
    began_at = clock.seconds()
    with clock.watched():
        await asyncio.sleep(0.15)
        loop_time.ahead_seconds += 1000
        if looks_first == "the tick":
            await asyncio.sleep(0.15)
        assert clock.seconds() - began_at < 500


async def test_a_clock_runs_while_the_loop_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes while the loop runs, and while nobody watches."""
    loop_time, clock = LoopTime(monkeypatch), RunningClock()
    began_at = clock.seconds()
    with clock.watched():
        for _ in range(200):
            loop_time.ahead_seconds += 0.05
            await asyncio.sleep(0)
    await asyncio.sleep(0.15)  # the last tick
    assert clock.seconds() - began_at >= 10
    loop_time.ahead_seconds += 1000
    assert clock.seconds() - began_at >= 1010
