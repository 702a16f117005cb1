"""Many waits that may each last as long as the others, and one timer for them all.

A timer for each would cost more than what is waited for: nearly all of them end long before their time.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fast_priority.support.stalls import MOST_POSTPONEMENTS, READING_SECONDS, STALL_SECONDS

logger = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)


class TimeoutQueue(Generic[Key]):
    """Calls `run_out` with each key that was begun `seconds` ago and has not been ended since, once.

    Beginning and ending is O(1), whatever else waits. After a time in which the loop stood still, what has come
    meanwhile is read first: it may be what a key waits for.
    """

    def __init__(self, seconds: float, run_out: Callable[[Key], None]) -> None:
        self.seconds = seconds
        self._run_out = run_out
        self._due: dict[Key, float] = {}  # the earliest first, for all have as long
        self._timer: asyncio.TimerHandle | None = None
        self._look_due = 0.0
        self._postponements = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # the one on which the first was begun

    def __len__(self) -> int:
        return len(self._due)

    def begin(self, key: Key) -> None:
        """Give a key its time, from now on, also one that had some left. To be called on the event loop."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        self._due.pop(key, None)
        self._due[key] = due = loop.time() + self.seconds
        if self._timer is None:
            self._look_at(loop, due)

    def end(self, key: Key) -> None:
        """Forget a key; one that has no time, or has it no longer, is nothing to forget."""
        self._due.pop(key, None)

    def close(self) -> None:
        """Forget all keys."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._look_due = due
        self._timer = loop.call_at(due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        if now - self._look_due > STALL_SECONDS and self._postponements < MOST_POSTPONEMENTS:
            self._postponements += 1
            self._look_at(loop, now + READING_SECONDS)
            return
        self._postponements = 0
        overdue = []
        for key, due in self._due.items():
            if due > now:
                self._look_at(loop, due)
                break
            overdue.append(key)
        for key in overdue:
            self._due.pop(key, None)
        for key in overdue:
            try:
                self._run_out(key)
            except Exception:  # the others are overdue all the same
                logger.exception("%r, which is overdue", key)
