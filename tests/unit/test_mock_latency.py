"""The mock target's latency grammar."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target.latency import MAX_LATENCY_SECONDS, Fixed, Latency, LatencyError, Lognormal, Uniform, parse_latency

seconds = st.floats(min_value=0, max_value=MAX_LATENCY_SECONDS)
latencies = st.one_of(
    st.builds(Fixed, seconds),
    st.lists(seconds, min_size=2, max_size=2).map(lambda bounds: Uniform(min(bounds), max(bounds))),
    st.builds(Lognormal, st.floats(min_value=0, max_value=MAX_LATENCY_SECONDS, exclude_min=True), st.floats(0, 10)),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.05", Fixed(0.05)),
        ("0", Fixed(0)),
        ("fixed:3600", Fixed(3600)),
        ("uniform:0.01,0.2", Uniform(0.01, 0.2)),
        (" uniform: 0.01 , 0.2 ", Uniform(0.01, 0.2)),
        ("lognormal:0.05,0.5", Lognormal(0.05, 0.5)),
    ],
)
def test_the_grammar_reads_each_kind_of_latency(text: str, expected: Latency) -> None:
    """A bare number is fixed; a kind and a colon name the others; spaces around numbers do not count."""
    assert parse_latency(text) == expected


@pytest.mark.parametrize(
    ("text", "mend"),
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
        ("lognormal:0,1", "the median must be above 0 seconds; write lognormal:0.05,0.5"),
        ("lognormal:1,11", "sigma must be from 0 to 10; write lognormal:0.05,0.5"),
    ],
)
def test_a_latency_error_says_what_was_given_and_what_would_be_right(text: str, mend: str) -> None:
    """The message quotes the text, names what is wrong, and shows a right one."""
    with pytest.raises(LatencyError) as caught:
        parse_latency(text)
    assert str(caught.value).startswith(f"{text!r} is not a latency: ")
    assert mend in caught.value.mend


@given(latencies)
def test_a_latency_writes_itself_in_the_grammar(latency: Latency) -> None:
    """Reading what str() writes gives an equal latency."""
    assert parse_latency(str(latency)) == latency


@given(st.text())
def test_any_text_is_a_latency_or_a_latency_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(LatencyError):
        assert isinstance(parse_latency(text), Latency)


@given(latencies, st.integers())
def test_no_draw_is_below_zero_or_above_an_hour(latency: Latency, seed: int) -> None:
    """Whatever the kind and the seed, a draw is from 0 to 3600 seconds."""
    assert 0 <= latency.draw(Random(seed)) <= MAX_LATENCY_SECONDS


@given(st.lists(seconds, min_size=2, max_size=2), st.integers())
def test_a_uniform_draw_stays_between_its_bounds(bounds: list[float], seed: int) -> None:
    """A uniform draw is never below low nor above high."""
    assert min(bounds) <= Uniform(min(bounds), max(bounds)).draw(Random(seed)) <= max(bounds)


def test_half_of_the_lognormal_draws_are_below_the_median() -> None:
    """The first number of lognormal is the median, and the draws spread around it."""
    random = Random(1)
    draws = [Lognormal(0.05, 0.5).draw(random) for _ in range(2000)]
    assert 900 < sum(draw < 0.05 for draw in draws) < 1100
    assert len(set(draws)) > 1000
