"""The check of speed in CI: ratios of one run, never a duration."""

import pytest

from benchmarks.check import LEAST_RATE_RATIO, MOST_MEDIAN_RATIO, judge
from benchmarks.endpoints import Sample
from benchmarks.systems import PASS_THROUGH_PREFIX, QUEUE_PREFIX


def _sample(per_second: float, median_ms: float, errors: int = 0) -> Sample:
    return Sample(per_second, median_ms, 2 * median_ms, 1000, errors, "", 0.1)


def _verdicts(median_ratio: float, rate_ratio: float, slowness: float = 1.0, errors: int = 0) -> list[str]:
    """Judge three rounds with these ratios of queue to pass-through, on a machine that is slower by a factor."""
    passed = (_sample(2000 / slowness, 0.4 * slowness), _sample(3000 / slowness, 20 * slowness))
    queued = (_sample(600, 0.4 * slowness * median_ratio, errors), _sample(3000 / slowness * rate_ratio, 60))
    measured = {PASS_THROUGH_PREFIX: passed, QUEUE_PREFIX: queued}
    return [finding.verdict for finding in judge([measured] * 3)]


@pytest.mark.parametrize("slowness", [1.0, 50.0])
def test_a_slow_machine_breaks_no_bound(slowness: float) -> None:
    """If everything is slower by the same factor, the check passes."""
    assert _verdicts(3.0, 0.6, slowness) == ["PASS", "PASS", "PASS"]


def test_a_median_over_the_bound_fails() -> None:
    """On one connection, beside pass-through."""
    assert _verdicts(MOST_MEDIAN_RATIO * 1.01, 0.6)[0] == "FAIL"


def test_a_rate_below_the_bound_fails() -> None:
    """On many connections, beside pass-through."""
    assert _verdicts(3.0, LEAST_RATE_RATIO * 0.99)[1] == "FAIL"


def test_a_failed_request_fails_the_check() -> None:
    """Even if both ratios are good."""
    assert _verdicts(3.0, 0.6, errors=1)[2] == "FAIL"
