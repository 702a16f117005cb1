"""Planning: the fewest slots that keep a promise, or an error if no number does."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.queueing.formulas import Queue
from loadtests.queueing.slot_plan import Measure, plan_slots

rates = st.floats(0.1, 500)
measures: st.SearchStrategy[Measure] = st.sampled_from(("mean", "p95", "p99"))


def wait_of(queue: Queue, measure: Measure) -> float:
    waits = {
        "mean": queue.high_wait_seconds,
        "p95": queue.high_wait_quantile_seconds(0.95),
        "p99": queue.high_wait_quantile_seconds(0.99),
    }
    return waits[measure]


@given(rates, rates, st.floats(0.001, 2), st.floats(0.0001, 2), measures)
def test_the_plan_keeps_the_bound_and_one_slot_fewer_would_not(
    high: float, low: float, service_seconds: float, bound_seconds: float, measure: Measure
) -> None:
    """The slots keep high's wait within the bound and the load below 1; with one fewer, one of the two is broken."""
    slots = plan_slots(high, low, service_seconds, bound_seconds, measure).slots

    queue = Queue(slots, service_seconds, high, low)
    assert wait_of(queue, measure) <= bound_seconds
    assert queue.load < 1
    if slots > 1:
        smaller = Queue(slots - 1, service_seconds, high, low)
        assert wait_of(smaller, measure) > bound_seconds or smaller.load >= 1


def test_low_requests_are_served_however_long_high_ones_may_wait() -> None:
    """A bound that is easily kept still needs enough slots for all requests."""
    assert plan_slots(1.0, 99.0, 0.1, 1000.0).slots == 11


def test_the_table_shows_what_more_and_fewer_slots_would_give() -> None:
    """The options are the slots around the result, each with its waits, and whether it fits."""
    found = plan_slots(20.0, 100.0, 0.05, 0.02, "p95")

    assert [(option.slots, option.fits) for option in found.options] == [
        (6, False),
        (7, False),
        (8, True),
        (9, True),
        (10, True),
    ]
    assert found.best == found.options[2]
    assert found.best.high_p95_seconds == pytest.approx(0.01404, rel=1e-3)
    assert found.options[0].low_mean_seconds == math.inf


def test_the_table_begins_with_one_slot() -> None:
    """Where one slot is enough there is nothing below it to show."""
    found = plan_slots(0.1, 0.1, 0.01, 1.0)

    assert [option.slots for option in found.options] == [1, 2, 3]


def test_the_assumptions_are_part_of_the_plan() -> None:
    """A plan has its assumptions as sentences."""
    assumptions = plan_slots(1.0, 1.0, 0.1, 0.1).assumptions

    assert any("Poisson" in sentence for sentence in assumptions)
    assert any("exponential" in sentence for sentence in assumptions)
    assert all(sentence.endswith(".") for sentence in assumptions)


@pytest.mark.parametrize(
    ("high", "low", "service_seconds", "bound_seconds", "complaint"),
    [
        (1.0, 1.0, 0.1, 0.0, "bound_seconds is 0.0; use a number above 0"),
        (1.0, 1.0, 0.1, math.nan, "bound_seconds is nan"),
        (1.0, 1.0, 0.0, 0.1, "service_seconds is 0.0"),
        (-1.0, 1.0, 0.1, 0.1, "high_per_second is -1.0"),
        (1.0, math.inf, 0.1, 0.1, "low_per_second is inf"),
        (1e6, 1e6, 1.0, 1.0, "need more than 100,000 slots for a wait of 1 s: reduce the load, or allow a longer wait"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    high: float, low: float, service_seconds: float, bound_seconds: float, complaint: str
) -> None:
    """Numbers out of range and impossible demands get one line that says what to change."""
    with pytest.raises(ValueError, match=complaint):
        plan_slots(high, low, service_seconds, bound_seconds)


def test_an_unknown_measure_is_refused() -> None:
    """The measure is one of three words, and the error names them."""
    with pytest.raises(ValueError, match="measure is 'median'; use one of mean, p95, p99"):
        plan_slots(1.0, 1.0, 0.1, 0.1, "median")  # type: ignore[arg-type]
