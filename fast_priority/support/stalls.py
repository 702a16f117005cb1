"""Timeouts that first read what has come.

A process that was frozen, or an event loop that was held up, finds both at once when it goes on: a timer that is
overdue, and the bytes that arrived meanwhile. The timer must not win, or an answer that lies here is reported as
missing. So a timer that fires late is set once more, for a short while in which the loop reads.
"""

import asyncio
from types import TracebackType

STALL_SECONDS = 0.1
"""A timer that fires so much too late shows that the loop stood still."""
READING_SECONDS = 0.1
"""How long the loop may then read before the timer counts."""
MOST_POSTPONEMENTS = 3
"""A loop that is always late must time out in the end."""


class Timeout:
    """An async context manager: raise TimeoutError in its block after `seconds`, as asyncio.timeout does; None: never.

    When the loop stood still for that long, what has come is read first, for up to 0.3 s.
    """

    __slots__ = ("_bound", "_due", "_loop", "_postponements", "_seconds", "_timer")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._bound: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._postponements = 0

    async def __aenter__(self) -> None:
        if self._seconds is None:
            return
        self._bound = asyncio.timeout(None)
        await self._bound.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + self._seconds
        self._timer = self._loop.call_at(self._due, self._fire)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it refers to this
        if self._bound is not None:
            await self._bound.__aexit__(kind, error, trace)

    def _fire(self) -> None:
        now = self._loop.time()
        if now - self._due > STALL_SECONDS and self._postponements < MOST_POSTPONEMENTS:
            self._postponements += 1
            self._due = now + READING_SECONDS
            self._timer = self._loop.call_at(self._due, self._fire)
        elif self._bound is not None:
            self._bound.reschedule(now)
