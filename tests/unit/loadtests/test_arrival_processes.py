"""Open loops: that requests come at the rates and in the way that was asked for."""

import math
import statistics
from collections.abc import Callable
from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.scenarios.arrival_processes import ArrivalProcess, Bursts, Constant, Poisson

MANY = 4000

rates = st.floats(min_value=0.01, max_value=1000)
processes = st.one_of(
    st.builds(Poisson, rates),
    st.builds(Constant, rates),
    st.builds(Bursts, st.integers(1, 50), rates, rates),
)


def first(count: int, process: ArrivalProcess, seed: int = 1) -> list[float]:
    return list(islice(process.offsets(Random(seed)), count))


def gaps_of(offsets: list[float]) -> list[float]:
    return [after - before for before, after in pairwise([0.0, *offsets])]


@given(processes)
def test_times_never_decrease(process: ArrivalProcess) -> None:
    """Times never decrease, and none is before the start."""
    assert all(gap >= 0 for gap in gaps_of(first(200, process)))


@given(processes, st.integers())
def test_same_seed_repeats_the_times(process: ArrivalProcess, seed: int) -> None:
    """The same seed gives the same times, so that a run can be repeated."""
    assert first(50, process, seed) == first(50, process, seed)


def test_another_seed_has_other_times() -> None:
    """Another seed gives other times."""
    assert first(50, Poisson(10), seed=1) != first(50, Poisson(10), seed=2)


@given(rates, st.integers(0, 100))
def test_poisson_keeps_its_rate(per_second: float, seed: int) -> None:
    """Many gaps have the mean 1 / rate, to within five standard errors."""
    mean = statistics.fmean(gaps_of(first(MANY, Poisson(per_second), seed)))
    assert mean * per_second == pytest.approx(1, abs=5 / math.sqrt(MANY))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9, 0.99])
def test_poisson_gaps_are_exponential(quantile: float, seed: int) -> None:
    """The share of the gaps below each quantile of the exponential distribution is that quantile."""
    gaps = gaps_of(first(MANY, Poisson(20), seed))
    bound_seconds = -math.log(1 - quantile) / 20
    share = sum(gap <= bound_seconds for gap in gaps) / MANY
    assert share == pytest.approx(quantile, abs=5 * math.sqrt(quantile * (1 - quantile) / MANY))


@pytest.mark.parametrize("seed", range(5))
def test_poisson_has_no_memory(seed: int) -> None:
    """The gaps of a Poisson process are independent."""
    gaps = gaps_of(first(MANY, Poisson(20), seed))
    assert abs(statistics.correlation(gaps[:-1], gaps[1:])) < 5 / math.sqrt(MANY)


@given(rates)
def test_constant_does_not_drift(per_second: float) -> None:
    """The n-th request is at n / rate exactly, for any n."""
    assert first(MANY, Constant(per_second))[-1] == MANY / per_second


def test_bursts_come_at_their_moments() -> None:
    """All requests of a burst have the same time, and none has a time between two bursts."""
    assert first(7, Bursts(size=3, every_seconds=2.0, first_after_seconds=0.5)) == [0.5, 0.5, 0.5, 2.5, 2.5, 2.5, 4.5]


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Poisson, "per_second"),
        (Constant, "per_second"),
        (lambda value: Bursts(1, value, 1), "every_seconds"),
        (lambda value: Bursts(1, 1, value), "first_after_seconds"),
        (lambda value: Bursts(value, 1, 1), "size"),
    ],
)
def test_impossible_process_is_refused(make: Callable[[float], ArrivalProcess], name: str, value: float) -> None:
    """An impossible rate, size or time is refused with its name."""
    with pytest.raises(ValueError, match=f"^{name} is {value}; use a number above 0$"):
        make(value)
