"""The budget of time that a client has: it runs down while the client is waited for, and bytes refill it."""

import pytest

from fast_priority.http.client_patience import ClientTimeout

PATIENCE_SECONDS = 15.0


def seconds_until_over(bytes_each_time: int, every_seconds: float, *, at_most_seconds: float = 10_000) -> float:
    """Return for how long a client is waited for that moves so many bytes every so many seconds."""
    patience = ClientTimeout(PATIENCE_SECONDS)
    waited_seconds = 0.0
    while waited_seconds < at_most_seconds and patience.left_seconds > every_seconds:
        patience.count(every_seconds, bytes_each_time)
        waited_seconds += every_seconds
    if waited_seconds >= at_most_seconds:
        return at_most_seconds
    return waited_seconds + patience.left_seconds


def test_silence_ends_it() -> None:
    """A client that moves no byte has its whole patience, and no more."""
    patience = ClientTimeout(PATIENCE_SECONDS)
    patience.count(14.9, 0)
    assert not patience.is_over
    patience.count(0.1, 0)
    assert patience.is_over


@pytest.mark.parametrize(
    ("bytes_each_time", "every_seconds", "most_seconds"),
    [
        (1, 3, 15.1),  # a byte each 3 s
        (1, 0.01, 18.8),  # 100 bytes a second, one by one
        (250, 1, 31),
        (400, 1, 76),
        (499, 1, 7_501),
        (7_000, 15, 16),  # a large piece, but too late
    ],
)
def test_a_trickle_ends_it(bytes_each_time: int, every_seconds: float, most_seconds: float) -> None:
    """A client that moves fewer than 500 bytes a second is given up, the sooner the fewer they are."""
    assert PATIENCE_SECONDS <= seconds_until_over(bytes_each_time, every_seconds) <= most_seconds


@pytest.mark.parametrize(
    ("bytes_each_time", "every_seconds"),
    [(500, 1), (1, 0.002), (5_000, 10), (7_400, 14.5), (1_000, 1), (20, 0.02), (1_000_000, 14)],
)
def test_500_bytes_a_second_go_on(bytes_each_time: int, every_seconds: float) -> None:
    """A client that moves 500 bytes a second, live audio of 8 kbit/s among them, is never given up."""
    assert seconds_until_over(bytes_each_time, every_seconds, at_most_seconds=2_000) == 2_000


def test_who_was_fast_is_given_no_more_time() -> None:
    """However much a client has moved, silence after it ends the patience as soon as ever."""
    patience = ClientTimeout(PATIENCE_SECONDS)
    patience.count(1, 1_000_000_000)
    assert patience.left_seconds == PATIENCE_SECONDS


def test_time_that_is_not_counted_costs_nothing() -> None:
    """What nobody counts, as while the target is waited for, changes nothing."""
    patience = ClientTimeout(PATIENCE_SECONDS)
    for _ in range(1000):
        patience.count(0, 0)
    assert patience.left_seconds == PATIENCE_SECONDS
