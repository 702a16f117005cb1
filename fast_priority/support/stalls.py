"""Timers and timeouts that let the event loop read first, after it stood still.

When a frozen process, or a blocked event loop, goes on, two things are there at once: timers that are overdue, and
bytes that arrived meanwhile. If the timers ran first, a response that lies in the socket would be reported as missing.
So a timer that fires late is postponed for a short time, in which the loop reads. `ReadFirstTimer` has this rule, and
`Timeout`, `TimeoutQueue` (timeout_queue.py) and `SlowReaders` (slow_readers.py) use it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

STALL_SECONDS = 0.1
"""A timer that fires later than this shows that the loop stood still."""
_TICK_SECONDS = 0.1
_READING_SECONDS = 0.1  # for so long the loop may then read
_MOST_POSTPONEMENTS = 3  # a loop that is always late must time out in the end


class ReadFirstTimer:
    """Calls `expire` once at a given time of the event loop; up to 0.3 s later if the loop stood still before.

    `expire` is called with the time of the loop, in seconds. A timer belongs to the loop on which it is first used.
    """

    __slots__ = ("_due", "_expire", "_handle", "_loop", "_postponements", "is_running")

    def __init__(self, expire: Callable[[float], None]) -> None:
        self._expire = expire
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._postponements = 0
        self.is_running = False
        """Whether it will still call."""

    def now(self) -> float:
        """Return the time of the loop, in seconds. Must be called on the loop."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def start(self, due: float) -> None:
        """Call at this time of the loop, and not at the time of an earlier start."""
        self.cancel()
        self._postponements = 0
        self._schedule(due)

    def cancel(self) -> None:
        """Do not call; without a start before, do nothing."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self.is_running = False

    def _schedule(self, due: float) -> None:
        self._due = due
        self.is_running = True
        self._handle = (self._loop or asyncio.get_running_loop()).call_at(due, self._fire)

    def _fire(self) -> None:
        now = self.now()
        if now - self._due > STALL_SECONDS and self._postponements < _MOST_POSTPONEMENTS:
            self._postponements += 1
            self._schedule(now + _READING_SECONDS)
            return
        self._handle = None
        self.is_running = False
        self._expire(now)


class RunningClock:
    """Counts the seconds in which an event loop runs: while it stands still, no time passes.

    It notices that by a tick, which runs only inside `watched`. A standstill of up to 0.1 s counts as running.
    """

    def __init__(self) -> None:
        self._stood_still_seconds = 0.0
        self._watches = 0
        self._due: float | None = None
        """The time of the loop by which it has to be here again; None: nobody watches."""

    def seconds(self) -> float:
        """Return the time of this clock. Must be called on the loop."""
        now = asyncio.get_running_loop().time()
        if self._due is not None and now - self._due > STALL_SECONDS:
            self._stood_still_seconds += now - self._due
            self._due = now
        return now - self._stood_still_seconds

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notice inside the block that the loop stands still."""
        self._watches += 1
        if self._due is None:
            self._schedule()
        try:
            yield
        finally:
            self._watches -= 1

    def _tick(self) -> None:
        self.seconds()
        self._due = None
        if self._watches:
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + _TICK_SECONDS
        loop.call_at(self._due, self._tick)


class Timeout:
    """An async context manager that raises TimeoutError in its block after `seconds`; None: never.

    It differs from asyncio.timeout in one thing: after the loop stood still, what has arrived is read first.
    """

    __slots__ = ("_bound", "_seconds", "_timer")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._bound: asyncio.Timeout | None = None
        self._timer: ReadFirstTimer | None = None

    async def __aenter__(self) -> None:
        if self._seconds is None:
            return
        self._bound = asyncio.timeout(None)
        await self._bound.__aenter__()
        self._timer = ReadFirstTimer(self._expire)
        self._timer.start(self._timer.now() + self._seconds)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # a reference cycle otherwise (gc_tuning.py)
        if self._bound is not None:
            await self._bound.__aexit__(kind, error, trace)

    def _expire(self, now: float) -> None:
        if self._bound is not None:
            self._bound.reschedule(now)
