"""How many requests are worked on at once, and who waits for a turn: first come, first served.

One event loop uses it; it has no lock.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

# Done when work may begin; its result is when that was, in unix seconds.
Turn = asyncio.Future[float]


class QueueFull(Exception):
    """As many requests are worked on, and as many wait, as may."""


class Limiter:
    """Lets at most `limit` requests be worked on at once (None: any number), and `max_queued` wait for a turn."""

    def __init__(self, limit: int | None, max_queued: int, unix_clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._max_queued = max_queued
        self._unix_clock = unix_clock
        self._queue: deque[Turn] = deque()
        self.working = 0
        self.max_working = 0
        self.rejected = 0

    @property
    def queued(self) -> int:
        """How many wait for a turn."""
        return len(self._queue)

    def enter(self) -> Turn | None:
        """Begin work (None), or get in line for a turn: then work begins when the turn is done.

        End work with `leave`; get out of the line with `give_up`. Raises QueueFull.
        """
        if self._has_room() and not self._queue:
            self._begin()
            return None
        if len(self._queue) >= self._max_queued:
            self.rejected += 1
            raise QueueFull
        turn: Turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        return turn

    def leave(self) -> None:
        """End the work on one request, and let the next one begin."""
        self.working -= 1
        self._let_in()

    def give_up(self, turn: Turn) -> None:
        """Get out of the line; a turn that has come meanwhile goes to the next."""
        if turn.done():
            self.leave()
        else:
            self._queue.remove(turn)

    def change(self, limit: int | None, max_queued: int) -> None:
        """Change the limit: a higher one lets in who waits, a lower one takes effect as work ends."""
        self._limit, self._max_queued = limit, max_queued
        self._let_in()

    def forget(self) -> None:
        """Start counting again: nobody rejected, and a high-water mark of what is worked on now."""
        self.max_working, self.rejected = self.working, 0

    def _has_room(self) -> bool:
        return self._limit is None or self.working < self._limit

    def _begin(self) -> None:
        self.working += 1
        self.max_working = max(self.max_working, self.working)

    def _let_in(self) -> None:
        while self._queue and self._has_room():
            self._begin()
            self._queue.popleft().set_result(self._unix_clock())
