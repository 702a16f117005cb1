"""The check of speed that CI makes: a ratio of one run, and never a duration."""

import pytest

from benchmarks.check import LEAST_OF_RATE, MOST_OF_MEDIAN, judge
from benchmarks.endpoints.generator import Sample
from benchmarks.systems.paths import PLAIN, QUEUE


def _sample(per_second: float, median_ms: float, errors: int = 0) -> Sample:
    return Sample(per_second, median_ms, 2 * median_ms, 1000, errors, "", 0.1)


def _verdicts(slower: float, fewer: float, slowness: float = 1.0, errors: int = 0) -> list[str]:
    """Judge three rounds in which the queue is so much slower, and carries so much less, than pass-through."""
    passed = (_sample(2000 / slowness, 0.4 * slowness), _sample(3000 / slowness, 20 * slowness))
    queued = (_sample(600, 0.4 * slowness * slower, errors), _sample(3000 / slowness * fewer, 60))
    return [finding.verdict for finding in judge([{PLAIN: passed, QUEUE: queued}] * 3)]


@pytest.mark.parametrize("slowness", [1.0, 50.0])
def test_a_slow_machine_fails_nothing(slowness: float) -> None:
    """All of it slower by the same is no worse."""
    assert _verdicts(3.0, 0.6, slowness) == ["PASS", "PASS", "PASS"]


def test_a_queue_that_answers_much_later_fails() -> None:
    """On one connection, beside pass-through."""
    assert _verdicts(MOST_OF_MEDIAN * 1.01, 0.6)[0] == "FAIL"


def test_a_queue_that_carries_much_less_fails() -> None:
    """On many connections, beside pass-through."""
    assert _verdicts(3.0, LEAST_OF_RATE * 0.99)[1] == "FAIL"


def test_a_request_that_failed_fails_the_check() -> None:
    """Speed is no excuse."""
    assert _verdicts(3.0, 0.6, errors=1)[2] == "FAIL"
