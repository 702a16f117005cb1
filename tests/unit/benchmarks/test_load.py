"""What is read from wrk's output and from the results of the load tests' check."""

import pytest

from benchmarks.load import CheckResult, LoadResult
from benchmarks.load.wrk import read_result
from fast_priority.errors import ConfigurationError


def test_a_result_of_wrk_is_read() -> None:
    """wrk reports microseconds; the result has milliseconds and seconds."""
    output = 'Running 2s test\n{"requests": 1000, "microseconds": 2000000, "errors": 0, "p50": 1500, "p99": 9000}\n'
    assert read_result(output) == LoadResult(1000, 2.0, 0, 1.5, 9.0)
    assert read_result(output).per_second == 500


def test_a_failed_wrk_is_reported_with_its_output() -> None:
    """Without a result, the output of wrk is the error message."""
    with pytest.raises(ConfigurationError, match="unable to connect"):
        read_result("unable to connect to 127.0.0.1:1 Connection refused")


def test_a_check_is_summed_over_its_scenarios() -> None:
    """Counts are added; of the tolerances the longest counts, in milliseconds."""
    orders = [
        {"inversions": 1, "tightest_tolerance_seconds": 0.2},
        {"inversions": 2, "tightest_tolerance_seconds": 0.1},
    ]
    result = CheckResult(1, "FAILED", [{"order": order} for order in orders])
    assert result.total("inversions") == 3
    assert result.tightest_tolerance_ms == 200
