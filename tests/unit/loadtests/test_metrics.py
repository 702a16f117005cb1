"""The numbers of the report: waits, places in the order, and the number of waiting requests over time."""

import math
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.metrics.formatting import format_seconds
from loadtests.metrics.places import MAX_IN_CLOSE_UP, choose_close_up, count_places, sort_by_arrival
from loadtests.metrics.summary import list_waits, pick_quantile, summarise, wait_without_priorities
from loadtests.metrics.time_series import StepFunction, count_in_flight, count_waiting, find_span, sample
from loadtests.oracle.ordering import judge_order
from loadtests.records.traces import RequestTrace
from tests.unit.loadtests import report_rig as rig

runs = st.lists(
    st.tuples(st.sampled_from(["high", "low"]), st.floats(0, 100), st.floats(0, 50)), min_size=1, max_size=40
).map(lambda rows: [rig.trace(f"{i}", p, sent, sent + wait) for i, (p, sent, wait) in enumerate(rows)])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 s"),
        (0.0083, "8.3 ms"),
        (0.4376, "438 ms"),
        (0.9996, "1 s"),
        (1.874, "1.87 s"),
        (135.2, "135 s"),
        (4321.0, "4320 s"),
        (-0.002, "-2 ms"),
        (None, "none"),
        (math.nan, "none"),
        (math.inf, "endless"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_suits_it(seconds: float | None, said: str) -> None:
    """A duration is shown with three digits, in a unit that depends on its size."""
    assert format_seconds(seconds) == said


def test_a_quantile_is_the_smallest_value_that_enough_do_not_exceed() -> None:
    """The 95th percentile of 1 to 100 is 95; without values there is no percentile."""
    assert pick_quantile(range(1, 101), 0.95) == 95
    assert pick_quantile([], 0.5) is None


def test_a_failed_request_without_a_place_has_not_waited() -> None:
    """A refused request has no wait; one whose client left has."""
    traces = [
        rig.trace("refused", "low", 0.0, None, "failed", ended_seconds=0.1),
        rig.trace("left", "low", 0.0, None, "left", ended_seconds=3.0),
    ]
    assert list_waits(traces) == pytest.approx([3.0])
    assert (summarise(traces, "low").failed, summarise(traces, "low").left) == (1, 1)


@given(runs)
def test_without_priorities_all_waits_together_are_as_long(traces: list[RequestTrace]) -> None:
    """Without priorities the sum of all waits is the same, and no wait is negative."""
    waits = wait_without_priorities(traces)
    assert mean(waits) == pytest.approx(mean(list_waits(traces)), abs=1e-5)
    assert min(waits) >= 0


def test_without_arrivals_there_are_no_waits_without_priorities() -> None:
    """A run of which no request arrived is no error."""
    assert wait_without_priorities([rig.trace("a", "low", 0.0, None, "left", 1.0)]) == []


@given(runs)
def test_places_gained_are_places_lost(traces: list[RequestTrace]) -> None:
    """The places gained by some requests equal the places lost by others."""
    assert sum(count_places(traces).values()) == 0


def test_high_gains_places_and_low_loses_them() -> None:
    """Two high requests ahead of three earlier low ones: three gained each, two lost each."""
    low = [rig.trace(f"low-{index}", "low", 0.1 * index, 4.0 + index) for index in range(3)]
    high = [rig.trace(f"high-{index}", "high", 1.0 + index, 2.0 + index) for index in range(2)]
    assert count_places((*low, *high)) == {"low-0": -2, "low-1": -2, "low-2": -2, "high-0": 3, "high-1": 3}


def pair(at_seconds: int, *, high_waits: bool) -> tuple[RequestTrace, RequestTrace]:
    """A low request and a high one that was sent a little later, the one served well before the other."""
    low, high = (2.0, 1.5) if not high_waits else (1.5, 2.0)
    return (
        rig.trace(f"low-{at_seconds}", "low", at_seconds, at_seconds + low),
        rig.trace(f"high-{at_seconds}", "high", at_seconds + 0.3, at_seconds + high),
    )


def test_the_close_up_shows_the_inversion() -> None:
    """One inversion is shown rather than a hundred overtakings elsewhere."""
    overtakings = [one for number in range(100) for one in pair(10 * number, high_waits=False)]
    quiet = [rig.trace(f"quiet-{number}", "low", 1001.0 + number, 1001.0 + number) for number in range(100)]
    traces = (*overtakings, *quiet, *pair(2000, high_waits=True))
    order = judge_order(traces)
    assert (len(order.overtakings), len(order.inversions)) == (100, 1)
    chosen = [one.sent.request_id for one in choose_close_up(sort_by_arrival(traces), order)]
    assert len(chosen) == MAX_IN_CLOSE_UP
    assert {"low-2000", "high-2000"} <= set(chosen)


def test_without_inversions_the_close_up_shows_overtakings() -> None:
    """Without inversions the close-up shows the part of the run with the most overtakings."""
    quiet = [rig.trace(f"quiet-{number}", "low", 0.0 + number, 0.0 + number) for number in range(100)]
    traces = (*quiet, *pair(2000, high_waits=False))
    chosen = [one.sent.request_id for one in choose_close_up(sort_by_arrival(traces), judge_order(traces))]
    assert {"low-2000", "high-2000"} <= set(chosen)


@given(runs)
def test_the_close_up_is_a_part_of_the_run(traces: list[RequestTrace]) -> None:
    """The close-up has requests that reached the target one after another, or all of them if they are few."""
    by_arrival = sort_by_arrival(traces)
    assert choose_close_up(by_arrival, judge_order(traces)) == by_arrival


def test_waiting_ends_at_the_target() -> None:
    """A request counts as waiting from its sending to its arrival, for its own priority."""
    traces = [
        rig.trace("a", "low", 1.0, 3.0),
        rig.trace("b", "low", 2.0, 4.0),
        rig.trace("c", "high", 1.0, 9.0),
    ]
    steps = count_waiting(traces, "low", rig.BEGAN_AT)
    assert dict(zip(steps.at_seconds, steps.counts, strict=True)) == {0.0: 0, 1.0: 1, 2.0: 2, 3.0: 1, 4.0: 0}


def test_a_client_that_left_ends_its_call() -> None:
    """A client that leaves ends its call: the gateway reuses the slot, while the target still works on the request."""
    steps = count_in_flight([rig.trace("a", "low", 0.0, 1.0, "left", ended_seconds=1.5)], rig.BEGAN_AT)
    assert (steps.at_seconds, steps.counts) == ((0.0, 1.0, 1.5), (0, 1, 0))


def test_a_part_of_the_run_has_its_mean_and_its_most() -> None:
    """A part of the run is shown with its maximum and with its mean over time."""
    low, high = sample(StepFunction((0.0, 1.0, 1.5, 3.0), (2, 6, 2, 0)), 4.0, parts=2)
    assert (low.mean, low.most) == (3.0, 6)
    assert (high.at_seconds, high.mean, high.most) == (2.0, 1.0, 2)


def test_the_span_leaves_out_what_came_before_the_first_request() -> None:
    """The span of a run begins with its first request, not with the start of locust."""
    span = find_span([rig.trace("a", "low", 5.0, 7.0), rig.trace("b", "low", 6.0, 9.0)])
    assert (span.begun_at, span.seconds) == (rig.BEGAN_AT + 5.0, 5.0)
