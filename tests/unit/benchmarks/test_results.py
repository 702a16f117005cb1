"""Statistics over rounds, findings and their tables."""

import math

import pytest

from benchmarks.results import (
    NOT_MEASURED,
    Finding,
    Spread,
    at_least,
    at_most,
    bounds_table,
    findings_table,
    format_percent,
    format_ratio,
    informational,
    ratios,
    rotate,
    without_bound,
)


def test_a_ratio_is_taken_within_each_round() -> None:
    """The median is that of the rounds' ratios, so a slow round does not change it."""
    assert ratios([10.0, 1.0, 30.0], [20.0, 2.0, 10.0]).median == 0.5


def test_a_round_that_does_not_count_is_left_out() -> None:
    """A round with NaN or with a base of 0 has no ratio."""
    assert ratios([1.0, math.nan, 4.0, 5.0], [2.0, 2.0, math.nan, 0.0]).values == (0.5,)


def test_each_value_needs_its_base() -> None:
    """Lists of different lengths raise ValueError."""
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_the_spread_is_shown_beside_the_median() -> None:
    """Several rounds show median, minimum and maximum; one round shows its value."""
    assert Spread.of([3.0, 1.0, 2.0]).format("{:g}".format) == "2 (1–3)"  # noqa: RUF001
    assert Spread.of([3.0]).format("{:g}".format) == "3"


@pytest.mark.parametrize(("values", "verdict"), [([0.98, 0.97, 0.5], "PASS"), ([0.96, 0.5, 2.0], "FAIL")])
def test_a_lower_bound_judges_the_median(values: list[float], verdict: str) -> None:
    """One bad round does not break the bound, and one good round does not satisfy it."""
    assert at_least("throughput", 0.97, Spread.of(values), format_ratio).verdict == verdict


@pytest.mark.parametrize(("values", "verdict"), [([2.5, 1.0, 9.0], "PASS"), ([2.6, 9.0, 1.0], "FAIL")])
def test_an_upper_bound_judges_the_median(values: list[float], verdict: str) -> None:
    """One bad round does not break the bound, and one good round does not satisfy it."""
    assert at_most("median", 2.5, Spread.of(values), format_ratio).verdict == verdict


def test_a_bound_without_measurement_has_no_verdict() -> None:
    """If no round counts, the table states it and shows neither PASS nor FAIL."""
    finding = at_most("median", 2.5, Spread.of([math.nan]), format_ratio)
    assert (finding.verdict, finding.measured) == ("", NOT_MEASURED)


def test_an_informational_finding_has_no_verdict() -> None:
    """It neither passes nor fails."""
    assert informational("wait", Spread.of([1.0]), format_ratio).verdict == ""
    assert without_bound(at_most("wait", 0.5, Spread.of([1.0]), format_ratio)).verdict == ""


def test_the_table_of_rounds_has_bound_and_verdict() -> None:
    """Each line has the bound beside the measured value."""
    line = findings_table([at_least("busy", 0.99, Spread.of([0.995]), format_percent)]).splitlines()[-1]
    assert line == "| busy | ≥ 99.00% | 99.50% | PASS |"


def test_the_table_of_bounds_has_bound_and_verdict() -> None:
    """Each line has the bound beside the measured value."""
    line = bounds_table([Finding("memory", "grows < 1.0 MiB", "2.0 MiB", False)]).splitlines()[-1]
    assert line == "| memory | grows < 1.0 MiB | 2.0 MiB | FAIL |"


def test_each_round_begins_with_another_item() -> None:
    """Every item is the first in turn, and each round has all items."""
    assert [rotate("abc", number)[0] for number in range(4)] == ["a", "b", "c", "a"]
    assert sorted(rotate("abc", 2)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.000461, "0.00046"), (0.9731, "0.973"), (2.484, "2.48"), (51.3, "51"), (1234.0, "1,234")]
)
def test_a_ratio_shows_its_significant_digits(value: float, shown: str) -> None:
    """A small ratio is not rounded to 0."""
    assert format_ratio(value) == shown
