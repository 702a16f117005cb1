"""What the measurements come to: medians of ratios, what does not count, and verdicts."""

import math

import pytest

from benchmarks.performance.sizes import FULL, QUICK
from benchmarks.results.findings import (
    NOTHING,
    Spread,
    at_least,
    at_most,
    findings_table,
    percent,
    ratios,
    rotated,
    shown_only,
    times,
)


def test_a_ratio_is_taken_within_each_round() -> None:
    """The median is that of the rounds' ratios, so that what slows a whole round down cancels out."""
    assert ratios([10.0, 1.0, 30.0], [20.0, 2.0, 10.0]).median == 0.5


def test_a_round_that_does_not_count_is_left_out() -> None:
    """A figure that came with errors is no number, and its round has no ratio; nor has one with nothing beside it."""
    assert ratios([1.0, math.nan, 4.0, 5.0], [2.0, 2.0, math.nan, 0.0]).values == (0.5,)


def test_rounds_of_two_lengths_are_a_mistake() -> None:
    """Each round needs its base."""
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_the_spread_is_shown_beside_the_median() -> None:
    """From several rounds come the median, the least and the most; from one, the value alone."""
    assert Spread.of([3.0, 1.0, 2.0]).shown("{:g}".format) == "2 (1–3)"  # noqa: RUF001
    assert Spread.of([3.0]).shown("{:g}".format) == "3"


@pytest.mark.parametrize(("values", "verdict"), [([0.98, 0.97, 0.5], "PASS"), ([0.96, 0.5, 2.0], "FAIL")])
def test_a_lower_bound_judges_the_median(values: list[float], verdict: str) -> None:
    """One bad round breaks no bound, and one good round holds none."""
    assert at_least("throughput", 0.97, Spread.of(values), times).verdict == verdict


@pytest.mark.parametrize(("values", "verdict"), [([2.5, 1.0, 9.0], "PASS"), ([2.6, 9.0, 1.0], "FAIL")])
def test_an_upper_bound_judges_the_median(values: list[float], verdict: str) -> None:
    """So for what shall not be over something."""
    assert at_most("median", 2.5, Spread.of(values), times).verdict == verdict


def test_what_was_not_measured_holds_no_bound() -> None:
    """Where nothing counts, the table says so, and nobody reads PASS."""
    finding = at_most("median", 2.5, Spread.of([math.nan]), times)
    assert (finding.verdict, finding.seen) == ("", NOTHING)


def test_what_is_only_shown_has_no_verdict() -> None:
    """A figure of which nothing is asked neither passes nor fails."""
    assert shown_only("wait", Spread.of([1.0]), times).verdict == ""


def test_the_table_names_bound_and_verdict() -> None:
    """Each line has what was asked beside what was seen."""
    line = findings_table([at_least("busy", 0.99, Spread.of([0.995]), percent)]).splitlines()[-1]
    assert line == "| busy | ≥ 99.00% | 99.50% | PASS |"


def test_each_round_begins_with_another() -> None:
    """Nobody always goes first, and nobody is left out."""
    assert [rotated("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    assert sorted(rotated("abc", 2)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.000461, "0.00046"), (0.9731, "0.973"), (2.484, "2.48"), (51.3, "51"), (1234.0, "1,234")]
)
def test_a_ratio_shows_the_digits_that_count(value: float, shown: str) -> None:
    """Small ones are not rounded to nothing."""
    assert times(value) == shown


def test_the_full_run_measures_what_was_asked_for() -> None:
    """1 to 1,024 connections, 0 to 100 ms, 10,000 queued and 10,000 waiting; the quick one is smaller in everything."""
    assert FULL.connections == (1, 16, 64, 256, 1024)
    assert FULL.services_ms == (0, 10, 100)
    assert (FULL.few_queued, FULL.many_queued, FULL.crowd) == (100, 10_000, 10_000)
    assert QUICK.rounds < FULL.rounds
    assert QUICK.crowd < FULL.crowd
