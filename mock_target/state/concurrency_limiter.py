"""A limit of concurrent requests, with a bounded queue: first come, first served.

One event loop uses it; it has no lock.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

# Done when work may start; the result is that time in unix seconds.
Permit = asyncio.Future[float]


class QueueFull(Exception):
    """The limit and the queue are both full."""


class Limiter:
    """Allows at most `limit` requests in progress at once (None: any number), and `max_queued` waiting ones."""

    def __init__(self, limit: int | None, max_queued: int, unix_clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._max_queued = max_queued
        self._unix_clock = unix_clock
        self._queue: deque[Permit] = deque()
        self.working = 0
        self.max_working = 0
        self.rejected = 0

    @property
    def queued(self) -> int:
        """How many requests wait for a permit."""
        return len(self._queue)

    def acquire(self) -> Permit | None:
        """Start work (return None), or join the queue: then work may start when the returned permit is done.

        End work with `release`; leave the queue with `cancel`. Raises QueueFull.
        """
        if self._has_room() and not self._queue:
            self._begin()
            return None
        if len(self._queue) >= self._max_queued:
            self.rejected += 1
            raise QueueFull
        permit: Permit = asyncio.get_running_loop().create_future()
        self._queue.append(permit)
        return permit

    def release(self) -> None:
        """End the work on one request, and let the next one start."""
        self.working -= 1
        self._admit_waiting()

    def cancel(self, permit: Permit) -> None:
        """Leave the queue; a permit that was granted meanwhile goes to the next request."""
        if permit.done():
            self.release()
        else:
            self._queue.remove(permit)

    def change(self, limit: int | None, max_queued: int) -> None:
        """Change the limit: a higher one admits waiting requests, a lower one takes effect as work ends."""
        self._limit, self._max_queued = limit, max_queued
        self._admit_waiting()

    def reset_counters(self) -> None:
        """Restart the counters: none rejected, and a maximum of what is in progress now."""
        self.max_working, self.rejected = self.working, 0

    def _has_room(self) -> bool:
        return self._limit is None or self.working < self._limit

    def _begin(self) -> None:
        self.working += 1
        self.max_working = max(self.max_working, self.working)

    def _admit_waiting(self) -> None:
        while self._queue and self._has_room():
            self._begin()
            self._queue.popleft().set_result(self._unix_clock())
