"""The connections to one target that nobody uses at the moment, and which of them may still be used."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Clock(Protocol):
    """The time and the timers of an event loop, which is one."""

    def time(self) -> float:
        """Return the time in seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle:
        """Call at this time."""
        ...


class Keepable(Protocol):
    """A connection; `target_connection.TargetConnection` is one."""

    def is_still_idle(self) -> bool:
        """Return whether it is open and nothing has arrived on it."""
        ...

    def end(self) -> None:
        """Close it."""
        ...


Connection = TypeVar("Connection", bound=Keepable)


class IdleConnections(Generic[Connection]):
    """Idle connections, each kept until its own time is over; the one that was used last is used first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[tuple[Connection, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, connection: Connection, until_seconds: float) -> None:
        """Keep a connection until this time of the clock; one whose time is over already is closed."""
        if until_seconds <= self._clock.time():
            connection.end()
            return
        self._kept.append((connection, until_seconds))
        if self._timer is None or until_seconds < self._timer_at:
            self._close_at(until_seconds)

    def take(self) -> Connection | None:
        """Return a connection that is still idle, if there is one; those that are not are closed.

        It is looked at just before: the target may have closed it, or may have sent something that nobody asked for (a
        408, or the end of TLS), and the event loop does not know yet.
        """
        now = self._clock.time()
        while self._kept:
            connection, until_seconds = self._kept.pop()
            if until_seconds > now and connection.is_still_idle():
                return connection
            connection.end()
        return None

    def close(self) -> None:
        """Close all of them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._kept:
            self._kept.pop()[0].end()

    def _close_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._clock.call_at(when, self._close_overdue)

    def _close_overdue(self) -> None:
        self._timer = None
        now = self._clock.time()
        kept, self._kept = self._kept, deque()
        for connection, until_seconds in kept:
            if until_seconds > now:
                self._kept.append((connection, until_seconds))
            else:
                connection.end()
        if self._kept:
            self._close_at(min(until_seconds for _, until_seconds in self._kept))
