"""What one process knows about its Redis: the server, its clock, and whether it was away."""

from collections.abc import Iterator
from unittest import mock

import pytest

from fast_priority.broker.connection import RedisHealth

EPOCH_SECONDS = 1_700_000_000.0


class Clocks:
    """The clock of this machine, and the clock of Redis, which a test can set."""

    def __init__(self) -> None:
        self.here_seconds = 50.0
        self.set_forward_seconds = 0.0

    def redis(self) -> tuple[int, int]:
        theirs = EPOCH_SECONDS + self.here_seconds + self.set_forward_seconds
        return int(theirs), round(theirs % 1 * 1e6)

    def monotonic(self) -> float:
        return self.here_seconds


@pytest.fixture
def clocks() -> Iterator[Clocks]:
    clocks = Clocks()
    with mock.patch("fast_priority.broker.connection.redis_health.time.monotonic", clocks.monotonic):
        yield clocks


def answer(health: RedisHealth, clocks: Clocks, server: bytes = b"one", way_seconds: float = 0.0) -> None:
    """Note an answer of Redis, which reads its clock half way."""
    asked_at = clocks.here_seconds
    clocks.here_seconds += way_seconds / 2
    theirs = clocks.redis()
    clocks.here_seconds += way_seconds / 2
    health.note_held_up(asked_at)
    health.note_answer(server, theirs, asked_at)


def test_well(clocks: Clocks) -> None:
    """A Redis that always answers at once, and whose clock runs as ours does, was not away."""
    health = RedisHealth()
    for _ in range(5):
        answer(health, clocks)
        clocks.here_seconds += 20
    assert not health.was_away_within(60)
    assert health.upsets == 0


def test_away(clocks: Clocks) -> None:
    """A Redis that did not answer counts as away for a while after it is back."""
    health = RedisHealth()
    answer(health, clocks)
    health.note_away()
    answer(health, clocks)
    assert health.was_away_within(3)
    clocks.here_seconds += 4
    assert not health.was_away_within(3)


def test_another_server(clocks: Clocks) -> None:
    """A server that replaces another counts as one that was away; the first server does not."""
    health = RedisHealth()
    answer(health, clocks, b"one")
    assert not health.was_away_within(60)
    answer(health, clocks, b"two")
    assert health.was_away_within(60)
    assert health.upsets == 1


def test_late(clocks: Clocks) -> None:
    """A Redis whose answer took over a second counts as away, but not as an upset."""
    health = RedisHealth()
    answer(health, clocks, way_seconds=5)
    assert health.was_away_within(60)
    assert health.upsets == 0


@pytest.mark.parametrize("seconds", [0.6, 2.0, 5.0, 3600.0, -0.6, -5.0, -86_400.0])
def test_a_clock_that_was_set(clocks: Clocks, seconds: float) -> None:
    """A Redis whose clock was set, forward or back, counts as away, and its new time is known at once."""
    health = RedisHealth()
    answer(health, clocks)
    clocks.set_forward_seconds = seconds
    answer(health, clocks)
    assert health.was_away_within(3)
    assert health.upsets == 1
    assert health.ahead_seconds == pytest.approx(EPOCH_SECONDS + seconds, abs=1e-3)
    clocks.here_seconds += 10
    answer(health, clocks)
    assert health.upsets == 1


@pytest.mark.parametrize("way_seconds", [0.0, 0.15, 0.9])
def test_a_slow_answer(clocks: Clocks, way_seconds: float) -> None:
    """A slow answer is not taken for a clock that was set."""
    health = RedisHealth()
    for way in (0.001, way_seconds, 0.001, way_seconds):
        answer(health, clocks, way_seconds=way)
        clocks.here_seconds += 3
    assert health.upsets == 0


def test_unknown_before_the_first_answer() -> None:
    """Before Redis has answered, its clock is unknown."""
    health = RedisHealth()
    assert health.ahead_seconds is None


@pytest.mark.parametrize("way_seconds", [0.0, 0.1, 0.5])
def test_never_later_than_redis(clocks: Clocks, way_seconds: float) -> None:
    """The assumed time of Redis is never after its own, and behind it by at most the time of the answer."""
    health = RedisHealth()
    answer(health, clocks, way_seconds=way_seconds)
    assert health.ahead_seconds is not None
    assert EPOCH_SECONDS - way_seconds - 1e-3 <= health.ahead_seconds <= EPOCH_SECONDS + 1e-3
