"""How long clients may keep us waiting: for a head, between two requests, and for taking what they were sent.

One timer for all connections looks now and then who is overdue. A connection is one entry of a dictionary: all that a
clock waits for has as long, so who began first is overdue first, and nobody else need be looked at. Only those that
have yet to take something are all looked at (`takers.py`).
"""

import asyncio
from typing import Protocol

from fast_priority.server.slow_readers import SlowReaders, Taking, look_seconds
from fast_priority.support.stalls import MOST_POSTPONEMENTS, READING_SECONDS, STALL_SECONDS


class Awaited(Protocol):
    """A connection of which something is awaited."""

    def lose_patience(self, clock: "Clock") -> None:
        """Its time by this clock is over, and it waits by none."""
        ...


class Clock:
    """What waits for one kind of thing, for `seconds` at most."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: dict[Wait, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def begin(self, wait: "Wait", now_seconds: float) -> None:
        """Let it wait; it does not wait by this clock yet."""
        self._since[wait] = now_seconds

    def end(self, wait: "Wait") -> None:
        """Let it wait no longer."""
        del self._since[wait]

    def oldest(self) -> "Wait | None":
        """Give what has waited for longest."""
        return next(iter(self._since), None)

    def overdue(self, now_seconds: float) -> "list[Wait]":
        """Give what has waited for too long."""
        found = []
        for wait, since in self._since.items():
            if now_seconds - since < self.seconds:
                break
            found.append(wait)
        return found

    def hurry(self, seconds: float, now_seconds: float) -> None:
        """From now on let everything wait for so long at most, also what waits already."""
        self.seconds = min(self.seconds, seconds)
        self._since = dict.fromkeys(self._since, now_seconds)


class ConnectionTimeouts:
    """The clocks of one process, which has one event loop. Durations are in seconds."""

    def __init__(self, head_seconds: float, idle_seconds: float, taking_seconds: float) -> None:
        self.head = Clock(head_seconds)
        """For the rest of a head, or of a body that has been answered before it was whole."""
        self.idle = Clock(idle_seconds)
        """For the next request."""
        self.taking = SlowReaders(taking_seconds)
        """For a client to take what it was sent, as long as some of it is in this process."""
        self._clocks = (self.head, self.idle, self.taking)
        self._look: asyncio.TimerHandle | None = None
        self._look_due = 0.0
        self._postponements = 0

    def begin(self, clock: Clock, wait: "Wait", loop: asyncio.AbstractEventLoop) -> None:
        """Let it wait by one of the clocks."""
        clock.begin(wait, loop.time())
        if self._look is None:
            self._look_later(loop)

    def begin_taking(self, taking: Taking, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for a client to take what it was sent."""
        self.taking.begin(taking, loop.time())
        if self._look is None:
            self._look_later(loop)

    def make_room(self) -> bool:
        """Close the connection that has been idle for longest; tells whether there was one."""
        oldest = self.idle.oldest()
        if oldest is None:
            return False
        oldest.run_out()
        return oldest.is_closing

    def hurry_idle(self, seconds: float) -> None:
        """From now on wait for so long at most for a next request."""
        loop = asyncio.get_running_loop()
        self.idle.hurry(seconds, loop.time())
        if self._look is not None:
            self._look.cancel()
        self._look_later(loop)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look_in(look_seconds(min(clock.seconds for clock in self._clocks)), loop)

    def _look_in(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        self._look_due = loop.time() + seconds
        self._look = loop.call_at(self._look_due, self._look_now, loop)

    def _look_now(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look = None
        is_late = loop.time() - self._look_due > STALL_SECONDS
        if is_late and self._postponements < MOST_POSTPONEMENTS:
            # This process stood still: what clients have sent meanwhile is read first.
            self._postponements += 1
            self._look_in(READING_SECONDS, loop)
            return
        self._postponements = 0
        for clock in self._clocks:
            for wait in clock.overdue(loop.time()):
                wait.run_out()
        if any(self._clocks) and self._look is None:
            self._look_later(loop)


class Wait:
    """What one connection is waited for, if for anything."""

    def __init__(self, connection: Awaited, clocks: ConnectionTimeouts, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._clocks = clocks
        self._loop = loop
        self._clock: Clock | None = None
        self._has_ended = False
        self.is_closing = False
        """Whether the connection is being closed."""

    def by(self, clock: Clock | None) -> None:
        """Wait by this clock, or by none; a wait by the same clock goes on."""
        if clock is self._clock or self._has_ended:
            return
        if self._clock is not None:
            self._clock.end(self)
        self._clock = clock
        if clock is not None:
            self._clocks.begin(clock, self, self._loop)

    def end(self) -> None:
        """The connection has ended, or is somebody else's: nothing is waited for any more, whoever asks for it."""
        self.by(None)
        self._has_ended = True

    def close(self) -> None:
        """The connection is being closed: nothing is awaited of the client but that it takes what it was sent."""
        self.by(None)
        self.is_closing = True

    def run_out(self) -> None:
        """It has lasted for too long."""
        clock = self._clock
        self.by(None)
        if clock is not None:
            self._connection.lose_patience(clock)
