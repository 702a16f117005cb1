"""Which idle connections are used again, and when they are closed, by a clock that only the test moves."""

import asyncio
from collections.abc import Callable

import pytest

from fast_priority.target.pool import IdleConnections


class FakeClock:
    """A clock whose timers run when the test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, Callable[[], None], asyncio.TimerHandle]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle:
        loop = asyncio.new_event_loop()
        loop.close()
        handle = asyncio.TimerHandle(when, lambda: None, (), loop)
        self._timers.append((when, callback, handle))
        return handle

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self._timers if timer[0] <= self.now]
        self._timers = [timer for timer in self._timers if timer[0] > self.now]
        for _, callback, handle in due:
            if not handle.cancelled():
                callback()


class FakeConnection:
    """A connection that only knows whether it was closed."""

    def __init__(self) -> None:
        self.has_ended = False

    def end(self) -> None:
        self.has_ended = True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def idle(clock: FakeClock) -> IdleConnections[FakeConnection]:
    return IdleConnections(clock)


def test_the_last_one_is_used_first(clock: FakeClock, idle: IdleConnections[FakeConnection]) -> None:
    """Of several idle connections, the one that was used last is taken; then there is none."""
    first, second = FakeConnection(), FakeConnection()
    idle.put(first, clock.now + 4)
    idle.put(second, clock.now + 4)
    assert [idle.take(), idle.take(), idle.take()] == [second, first, None]


def test_each_is_closed_at_its_own_time(clock: FakeClock, idle: IdleConnections[FakeConnection]) -> None:
    """Connections are closed when their times are over, in whatever order they came."""
    long, short, middle = FakeConnection(), FakeConnection(), FakeConnection()
    for connection, idle_seconds in ((long, 50), (short, 1), (middle, 4)):
        idle.put(connection, clock.now + idle_seconds)
    ended = []
    for seconds in (0.5, 0.5, 3.0, 45.0, 1.0):
        clock.move(seconds)
        ended.append([long.has_ended, middle.has_ended, short.has_ended])
    assert ended == [[False] * 3, [False, False, True], [False, True, True], [False, True, True], [True] * 3]
    assert len(idle) == 0


def test_a_late_timer_gives_no_more_time(clock: FakeClock, idle: IdleConnections[FakeConnection]) -> None:
    """A connection whose time is over is not taken, also if its timer has not run yet."""
    overdue = FakeConnection()
    idle.put(overdue, clock.now + 4)
    clock.now += 4
    assert idle.take() is None
    assert overdue.has_ended


def test_a_connection_without_time_is_not_kept(clock: FakeClock, idle: IdleConnections[FakeConnection]) -> None:
    """A connection whose time is over already is closed at once."""
    connection = FakeConnection()
    idle.put(connection, clock.now)
    assert (connection.has_ended, len(idle)) == (True, 0)


def test_all_are_closed_at_the_end(clock: FakeClock, idle: IdleConnections[FakeConnection]) -> None:
    """Closing closes every idle connection, and no timer is left."""
    kept = [FakeConnection() for _ in range(3)]
    for connection in kept:
        idle.put(connection, clock.now + 4)
    idle.close()
    assert all(connection.has_ended for connection in kept)
    clock.move(10)
    assert len(idle) == 0
