"""RateTimeout: a budget of seconds that a peer refills by the bytes that it moves."""

import pytest

from fast_priority.support.rate_timeout import RateTimeout

SECONDS = 15.0
BYTES_PER_SECOND = 500


def seconds_until_over(bytes_each_time: int, every_seconds: float, at_most_seconds: float = 10_000) -> float:
    """Return after how many seconds it is over for a peer that moves so many bytes at a time."""
    timeout, waited_seconds = RateTimeout(SECONDS, BYTES_PER_SECOND), 0.0
    while waited_seconds < at_most_seconds and timeout.remaining_seconds > every_seconds:
        timeout.count(every_seconds, bytes_each_time)
        waited_seconds += every_seconds
    if waited_seconds >= at_most_seconds:
        return at_most_seconds
    return waited_seconds + timeout.remaining_seconds


def test_a_silent_peer_times_out() -> None:
    """A peer that moves no byte has the whole time, and not more."""
    timeout = RateTimeout(SECONDS, BYTES_PER_SECOND)
    timeout.count(14.9, 0)
    assert not timeout.is_over
    timeout.count(0.1, 0)
    assert timeout.is_over


@pytest.mark.parametrize(
    ("bytes_each_time", "every_seconds", "most_seconds"),
    [
        (1, 3, 15.1),  # a byte each 3 s
        (1, 0.01, 18.8),  # 100 bytes a second, one by one
        (250, 1, 31),
        (400, 1, 76),
        (499, 1, 7_501),
        (7_000, 15, 16),  # many at once, but too late
    ],
)
def test_a_slow_peer_times_out(bytes_each_time: int, every_seconds: float, most_seconds: float) -> None:
    """A peer that moves fewer than the least bytes a second times out, the sooner the fewer they are."""
    assert SECONDS <= seconds_until_over(bytes_each_time, every_seconds) <= most_seconds


@pytest.mark.parametrize(
    ("bytes_each_time", "every_seconds"),
    [(500, 1), (1, 0.002), (5_000, 10), (7_400, 14.5), (1_000, 1), (20, 0.02), (1_000_000, 14)],
)
def test_a_steady_peer_never_times_out(bytes_each_time: int, every_seconds: float) -> None:
    """A peer that moves the least bytes a second goes on without end, in pieces of any size."""
    assert seconds_until_over(bytes_each_time, every_seconds, at_most_seconds=2_000) == 2_000


def test_a_fast_peer_saves_no_time() -> None:
    """After any number of bytes, a peer that falls silent has no more than the whole time."""
    timeout = RateTimeout(SECONDS, BYTES_PER_SECOND)
    timeout.count(1, 1_000_000_000)
    assert timeout.remaining_seconds == SECONDS


def test_time_without_waiting_is_free() -> None:
    """Time in which this process does not wait for the peer uses up nothing."""
    timeout = RateTimeout(SECONDS, BYTES_PER_SECOND)
    for _ in range(1000):
        timeout.count(0, 0)
    assert timeout.remaining_seconds == SECONDS


def test_its_text() -> None:
    """As text, it states the least rate and the time: errors and log lines quote it."""
    assert str(RateTimeout(15, 500)) == "under 500 bytes a second, with 15 s in advance"
