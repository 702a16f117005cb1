"""How fast the queues are emptied, and when a refused request should come again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.scheduling.drain_rate import DrainRate, retry_after_seconds


def rate_after(*looks: tuple[float, dict[str, int]]) -> float:
    rate = DrainRate()
    for now, ended in looks:
        rate.note(ended, now)
    return rate.per_second()


def test_the_rate_is_unknown_at_first() -> None:
    """The requests that ended before the first look do not count."""
    assert rate_after() == 0
    assert rate_after((0, {"a": 1000})) == 0


def test_all_workers_count() -> None:
    """The rate counts the requests of all workers between two looks, for each second."""
    assert rate_after((0, {"a": 5, "b": 7}), (2, {"a": 8, "b": 8})) == 2


def test_a_worker_that_comes_counts_and_one_that_leaves_takes_nothing_back() -> None:
    """Workers that are replaced leave the rate as it is."""
    assert rate_after((0, {"old": 100}), (2, {"old": 110}), (4, {"new": 10})) == 5


@pytest.mark.parametrize("missing", [1, 3])
def test_a_worker_that_was_missing_counts_once(missing: int) -> None:
    """After a Redis that lost the workers' records, what a worker had ended before is not counted again."""
    looks = [(0.0, {"a": 9000}), (2.0, {"a": 9020}), *[(2.0 + 2 * one, {}) for one in range(1, missing + 1)]]
    back_seconds = 4.0 + 2 * missing
    assert rate_after(*looks, (back_seconds, {"a": 9000 + round(10 * back_seconds)})) == 10


def test_a_count_that_begins_again_counts_from_0() -> None:
    """A count that is lower than before is that of a worker which counts from 0."""
    assert rate_after((0, {"a": 9000}), (2, {}), (4, {"a": 8}), (8, {"a": 16})) == 2


def test_old_looks_are_forgotten() -> None:
    """Only the last 30 s count: if no request ends any more, the rate becomes 0."""
    busy = [(float(second), {"a": 10 * second}) for second in range(0, 20, 2)]
    still = [(float(second), {"a": 180}) for second in range(20, 60, 2)]
    assert rate_after(*busy) == 10
    assert rate_after(*busy, *still) == 0


@pytest.mark.parametrize(
    ("ahead", "per_second", "jitter", "seconds"),
    [
        (100, 10, 1.0, 10),
        (100, 10, 0.8, 8),
        (100, 10, 1.2, 12),
        (0, 10, 1.0, 1),
        (1, 1000, 1.2, 1),
        (10_000, 1, 1.2, 60),
        (10_000, 1, 0.8, 40),
        (5, 0, 1.0, 50),
    ],
)
def test_when_to_try_again(ahead: int, per_second: float, jitter: float, seconds: int) -> None:
    """It is the time that the requests ahead take, times the jitter; the longest time has the jitter too."""
    assert retry_after_seconds(ahead, per_second, jitter) == seconds


@given(st.integers(0, 10**7), st.floats(0, 1e6), st.floats(0.8, 1.2))
def test_it_is_never_out_of_bounds(ahead: int, per_second: float, jitter: float) -> None:
    """It is always 1 to 60 seconds."""
    assert 1 <= retry_after_seconds(ahead, per_second, jitter) <= 60
