"""The latency grammar, and what is drawn from it."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target.settings.latency import Exponential, Fixed, Jitter, Latency, Lognormal, Uniform, parse_latency
from mock_target.settings.value_parsers import MAX_SECONDS

seconds = st.floats(min_value=0, max_value=MAX_SECONDS)
positive_seconds = st.floats(min_value=0, max_value=MAX_SECONDS, exclude_min=True)
shares = st.floats(min_value=0, max_value=1, exclude_max=True)
latencies = st.one_of(
    st.builds(Fixed, seconds),
    st.lists(seconds, min_size=2, max_size=2).map(lambda bounds: Uniform(min(bounds), max(bounds))),
    st.builds(Jitter, seconds, seconds),
    st.builds(Lognormal, positive_seconds, st.floats(0, 10)),
    st.builds(Exponential, positive_seconds),
)


def draw(latency: Latency, count: int) -> list[float]:
    random = Random(1)
    return sorted(latency.quantile_seconds(random.random()) for _ in range(count))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.05", Fixed(0.05)),
        ("0", Fixed(0)),
        ("fixed:3600", Fixed(3600)),
        ("uniform:0.01,0.2", Uniform(0.01, 0.2)),
        (" uniform: 0.01 , 0.2 ", Uniform(0.01, 0.2)),
        ("jitter:0.2,0.05", Jitter(0.2, 0.05)),
        ("lognormal:0.05,0.5", Lognormal(0.05, 0.5)),
        ("exponential:0.05", Exponential(0.05)),
    ],
)
def test_the_grammar_reads_each_kind_of_latency(text: str, expected: Latency) -> None:
    """A bare number is fixed; a kind and a colon name the others; spaces around numbers do not count."""
    assert parse_latency(text) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "write seconds like 0.05"),
        ("soon", "'soon' is not a plain decimal number; write seconds like 0.05"),
        ("-1", "'-1' is not a plain decimal number"),
        ("nan", "'nan' is not a plain decimal number"),
        ("1_0", "'1_0' is not a plain decimal number"),
        ("1e999", "must be from 0 to 3600 seconds"),
        ("3600.1", "must be from 0 to 3600 seconds"),
        ("normal:1,2", "there is no kind 'normal'; write seconds like 0.05"),
        ("fixed:1,2", "fixed takes one number, the seconds; write fixed:0.05"),
        ("uniform:1", "uniform takes two numbers, low and high seconds; write uniform:0.01,0.2"),
        ("uniform:2,1", "low must not be above high; write uniform:0.01,0.2"),
        ("jitter:1", "jitter takes two numbers, seconds and plus or minus; write jitter:0.2,0.05"),
        ("lognormal:0,1", "the median must be above 0 seconds; write lognormal:0.05,0.5"),
        ("lognormal:1,11", "sigma must be from 0 to 10; write lognormal:0.05,0.5"),
        ("exponential:0", "the mean must be above 0 seconds; write exponential:0.05"),
    ],
)
def test_a_bad_latency_says_what_is_wrong_and_what_to_write(text: str, hint: str) -> None:
    """The message names what is wrong, and shows a right one."""
    with pytest.raises(ValueError, match=r"write ") as caught:
        parse_latency(text)
    assert hint in str(caught.value)


@given(latencies)
def test_a_latency_writes_itself_in_the_grammar(latency: Latency) -> None:
    """Reading what str() writes gives an equal latency."""
    assert parse_latency(str(latency)) == latency


@given(st.text())
def test_any_text_is_a_latency_or_a_value_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(ValueError):
        assert isinstance(parse_latency(text), Latency)


@given(latencies, shares)
def test_no_wait_is_below_zero_or_above_an_hour(latency: Latency, share: float) -> None:
    """Whatever the kind and the draw, a wait is from 0 to 3600 seconds."""
    assert 0 <= latency.quantile_seconds(share) <= MAX_SECONDS


@given(latencies, shares, shares)
def test_a_larger_draw_is_never_a_shorter_wait(latency: Latency, one: float, other: float) -> None:
    """Quantiles rise, so that two runs with the same draws are long and short at the same arrivals."""
    assert latency.quantile_seconds(min(one, other)) <= latency.quantile_seconds(max(one, other))


@given(st.lists(seconds, min_size=2, max_size=2), shares)
def test_a_uniform_wait_stays_between_its_bounds(bounds: list[float], share: float) -> None:
    """A uniform wait is never below low nor above high."""
    assert min(bounds) <= Uniform(min(bounds), max(bounds)).quantile_seconds(share) <= max(bounds)


def test_jitter_spreads_evenly_around_its_middle() -> None:
    """The waits fill the whole of the middle, plus or minus the jitter, and are even on both sides."""
    waits = draw(Jitter(0.2, 0.05), 2000)
    assert 0.15 <= waits[0] < 0.151
    assert 0.249 < waits[-1] <= 0.25
    assert waits[1000] == pytest.approx(0.2, abs=0.005)


def test_half_of_the_lognormal_waits_are_below_the_median() -> None:
    """The first number of lognormal is the median, and sigma is the spread of the logarithm."""
    waits = draw(Lognormal(0.05, 0.5), 2000)
    assert waits[1000] == pytest.approx(0.05, rel=0.05)
    # One standard deviation above the median lie 84.1 per cent.
    assert waits[1682] == pytest.approx(0.05 * 2.718281828**0.5, rel=0.1)


def test_exponential_waits_have_the_mean_and_the_spread_of_queueing_theory() -> None:
    """The mean is the given number, and the standard deviation equals it."""
    waits = draw(Exponential(0.05), 5000)
    mean = sum(waits) / len(waits)
    deviation = (sum((wait - mean) ** 2 for wait in waits) / len(waits)) ** 0.5
    assert mean == pytest.approx(0.05, rel=0.05)
    assert deviation == pytest.approx(0.05, rel=0.1)
