"""The oracle of the order: what it must find, what it must not report, and when the run is unproved."""

from collections.abc import Sequence
from itertools import product
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.oracle.ordering import (
    ENOUGH_OVERTAKINGS,
    ENOUGH_TESTED,
    OrderResult,
    Overtaking,
    find_inversions,
    find_overtakings,
    judge_order,
)
from loadtests.oracle.verdict import Verdict
from loadtests.records.traces import Outcome, RequestTrace
from tests.unit.loadtests.trace_rig import make_trace, shift

T = 0.25
PRECISION_SECONDS = 0.0001

# A part of a second that floats hold exactly, and so long that moments coincide.
STEPS_PER_SECOND = 8
OUTCOMES: tuple[Outcome, ...] = ("answered", "failed", "left")


def make_run(drawn: list[tuple[int, int, int, int, int]]) -> list[RequestTrace]:
    run = []
    for index, (kind, sent, wait, patience, acceptance) in enumerate(drawn):
        sent_at = sent / STEPS_PER_SECOND
        run.append(
            make_trace(
                f"{'high' if kind % 2 else 'low'}-{index}",
                sent_at,
                None if wait < 0 else sent_at + wait / STEPS_PER_SECOND,
                ended_at=sent_at + patience / STEPS_PER_SECOND,
                outcome=OUTCOMES[kind // 2],
                accepted_at=None if acceptance < 0 else sent_at + acceptance / STEPS_PER_SECOND,
            )
        )
    return run


# Short waits, close together: most lie near the tolerance, which is two steps. Below 0: there is no such moment.
requests = st.tuples(st.integers(0, 5), st.integers(0, 20), st.integers(-2, 12), st.integers(0, 12), st.integers(-6, 6))
runs = st.lists(requests, max_size=9).map(make_run)


def of(priority: str, run: Sequence[RequestTrace]) -> list[RequestTrace]:
    return [one for one in run if one.sent.priority == priority]


def ahead(passings: Sequence[Overtaking]) -> list[str]:
    return sorted(one.ahead.sent.request_id for one in passings)


def known_to_wait_from(one: RequestTrace) -> float:
    return one.sent.sent_at if one.sent.accepted_at is None else one.sent.accepted_at


def kept_waiting(high: RequestTrace, now: float | None) -> bool:
    return now is not None and known_to_wait_from(high) + T <= now and now + T <= high.waited_until


def left_behind(low: RequestTrace, high: RequestTrace) -> bool:
    return (
        high.arrived_at is not None
        and low.arrived_at is not None
        and low.sent.sent_at + T <= high.sent.sent_at
        and high.arrived_at + T <= low.arrived_at
    )


@given(runs)
def test_an_inversion_is_found_exactly_where_a_high_request_was_kept_waiting(run: list[RequestTrace]) -> None:
    """A low one is named, once, if and only if a high one was there T before it arrived, and waited for T after."""
    low, high = of("low", run), of("high", run)
    found = find_inversions(low, high, T)
    assert ahead(found) == sorted(
        one.sent.request_id for one in low if any(kept_waiting(other, one.arrived_at) for other in high)
    )
    assert all(kept_waiting(inversion.behind, inversion.ahead.arrived_at) for inversion in found)


@given(runs)
def test_an_overtaking_is_found_exactly_where_a_low_request_was_sent_first_and_left_behind(
    run: list[RequestTrace],
) -> None:
    """A high one is named, once, if and only if a low one was sent T before it, and arrived T after it did."""
    low, high = of("low", run), of("high", run)
    found = find_overtakings(high, low, T)
    assert ahead(found) == sorted(one.sent.request_id for one in high if any(left_behind(other, one) for other in low))
    assert all(left_behind(overtaking.behind, overtaking.ahead) for overtaking in found)


@given(runs)
def test_of_several_waiting_requests_the_one_that_waited_longest_is_named(run: list[RequestTrace]) -> None:
    """Of several waiting high requests the evidence names the one that waited longest."""
    high = of("high", run)
    for inversion in find_inversions(of("low", run), high, T):
        kept = [one for one in high if kept_waiting(one, inversion.ahead.arrived_at)]
        assert inversion.behind.waited_until == max(one.waited_until for one in kept)


def in_short(order: OrderResult) -> tuple[object, ...]:
    return ahead(order.inversions), ahead(order.overtakings), order.tested, order.finding.verdict, order.finding.reason


@given(runs, st.integers(-1_000_000, 1_000_000))
def test_what_time_it_is_does_not_matter(run: list[RequestTrace], seconds: int) -> None:
    """If all clocks are set to another time, the judgement is the same."""
    here, there = judge_order(run, T), judge_order([shift(one, seconds) for one in run], T)
    assert in_short(here) == in_short(there)
    assert here.tightest_tolerance_seconds == pytest.approx(there.tightest_tolerance_seconds, abs=PRECISION_SECONDS)


@given(runs.flatmap(lambda run: st.tuples(st.just(run), st.permutations(run))))
def test_the_order_of_the_records_does_not_matter(both: tuple[list[RequestTrace], list[RequestTrace]]) -> None:
    """The judgement on the same records in another order is the same."""
    here, there = (judge_order(run, T) for run in both)
    assert in_short(here) == in_short(there)
    assert here.tightest_tolerance_seconds == there.tightest_tolerance_seconds


@given(runs, st.floats(0, 10), st.floats(0, 10))
def test_a_larger_tolerance_never_finds_more(run: list[RequestTrace], tolerance: float, more: float) -> None:
    """A larger tolerance finds no more than a smaller one."""
    low, high = of("low", run), of("high", run)
    strict = set(ahead(find_inversions(low, high, tolerance)))
    lenient = set(ahead(find_inversions(low, high, tolerance + more)))
    assert lenient <= strict


@given(runs)
def test_the_tightest_tolerance_is_the_edge(run: list[RequestTrace]) -> None:
    """With the tightest tolerance there is no inversion; with 0.1 ms less there is one, unless it is 0."""
    low, high = of("low", run), of("high", run)
    edge = judge_order(run, T).tightest_tolerance_seconds
    assert edge == 0 or find_inversions(low, high, edge) == []
    assert edge == 0 or find_inversions(low, high, max(0.0, edge - 1.01 * PRECISION_SECONDS))
    shown = [
        min(one.arrived_at - known_to_wait_from(other), other.waited_until - one.arrived_at)
        for one, other in product(low, high)
        if one.arrived_at is not None
    ]
    assert edge == pytest.approx(max([0.0, *shown]), abs=PRECISION_SECONDS)


def test_no_wait_is_too_long_to_find_the_edge_in_it() -> None:
    """The tightest tolerance is also found inside a wait of minutes."""
    order = judge_order([make_trace("high-slow", 0, 1000), make_trace("low-fed", 0, 500)], T)
    assert order.tightest_tolerance_seconds == pytest.approx(500, abs=PRECISION_SECONDS)


@given(runs)
def test_tested_are_the_high_requests_between_whose_tolerances_a_low_one_fits(run: list[RequestTrace]) -> None:
    """A low request that arrived in the middle of their wait would have been an inversion; with others it would not."""
    high = of("high", run)
    fits = 0
    for one in high:
        middle = (known_to_wait_from(one) + one.waited_until) / 2
        fits += bool(find_inversions([make_trace("low-new", 0, middle)], [one], T))
    assert judge_order(run, T).tested == fits


def saturated(highs: int = ENOUGH_OVERTAKINGS) -> list[RequestTrace]:
    """A run that proves the promise: one low request waits throughout, and the high ones wait too, and pass it."""
    passing = [make_trace(f"high-{second}", second, second + 2 * T) for second in range(1, highs + 1)]
    return [make_trace("low-0", 0, highs + 5), *passing]


def verdict_on(run: list[RequestTrace]) -> Verdict:
    return judge_order(run, T).finding.verdict


def test_high_requests_that_pass_a_waiting_low_one_prove_the_promise() -> None:
    """With enough overtakings and no inversion the verdict is proved; the reason has the number of judged requests."""
    finding = judge_order([*saturated(), make_trace("high-slow", 30, 30.5)], T).finding
    assert finding.verdict is Verdict.PROVED
    assert finding.reason == (
        f"{ENOUGH_OVERTAKINGS} high requests overtook low ones; "
        f"no low one went ahead of the {ENOUGH_OVERTAKINGS + 1} that waited long enough to be judged"
    )


def test_too_few_overtakings_prove_nothing() -> None:
    """With one overtaking less than needed the verdict is unproved: it may be chance."""
    finding = judge_order(saturated(ENOUGH_OVERTAKINGS - 1), T).finding
    assert finding.verdict is Verdict.UNPROVED
    assert "send more low requests" in finding.reason


@pytest.mark.parametrize(
    ("tested", "verdict"), [(ENOUGH_TESTED - 1, Verdict.UNPROVED), (ENOUGH_TESTED, Verdict.PROVED)]
)
def test_high_requests_that_hardly_wait_prove_nothing(tested: int, verdict: Verdict) -> None:
    """If no high request waits for twice the tolerance, the verdict is unproved, with any number of overtakings."""
    low, *passing = saturated()
    brief = [make_trace(f"high-brief-{second}", second, second + 0.1) for second in range(1, ENOUGH_OVERTAKINGS)]
    order = judge_order([low, *brief, *passing[:tested]], T)
    assert (order.tested, order.finding.verdict) == (tested, verdict)
    assert len(order.overtakings) >= ENOUGH_OVERTAKINGS


def test_if_too_few_wait_the_reason_says_what_to_change() -> None:
    """The reason names the number of tested requests, the wanted number, and both remedies."""
    low, *_ = saturated()
    brief = [make_trace(f"high-{second}", second, second + 0.1) for second in range(1, ENOUGH_OVERTAKINGS + 1)]
    assert judge_order([low, *brief], T).finding.reason == (
        "only 0 high requests waited long enough to be judged (10 wanted): "
        "let the service last longer, or use a smaller --tolerance-seconds"
    )


@pytest.mark.parametrize(("outcome", "status"), [("left", None), ("failed", None), ("answered", 503)])
def test_overtaking_one_that_never_arrives_proves_nothing(outcome: Outcome, status: int | None) -> None:
    """A high request does not overtake a low one that never arrives; otherwise every later one would."""
    _, *passing = saturated()
    lost = make_trace("low-lost", 0, None, ended_at=100, outcome=outcome, status=status)
    assert verdict_on([lost, *passing]) is Verdict.UNPROVED


def test_without_saturation_nothing_is_proved() -> None:
    """High requests that arrive at once overtake none, if the low ones arrive at once as well."""
    run = [make_trace(f"{name}-{second}", second, second + 0.01) for second in range(50) for name in ("high", "low")]
    assert verdict_on(run) is Verdict.UNPROVED


def test_nothing_sent_proves_nothing() -> None:
    """The verdict on an empty run is unproved."""
    order = judge_order([], T)
    assert (order.finding.verdict, order.tested, order.tightest_tolerance_seconds) == (Verdict.UNPROVED, 0, 0.0)


def test_one_inversion_among_many_overtakings_is_a_violation() -> None:
    """The evidence names both requests and both waits."""
    run = [*saturated(), make_trace("high-late", 30, 33), make_trace("low-early", 29, 31)]
    finding = judge_order(run, T).finding
    assert finding.verdict is Verdict.VIOLATED
    assert finding.evidence == ("low-early arrived while high-late had waited 1.000 s, and continued to wait 2.000 s",)


@pytest.mark.parametrize(
    ("sent_at", "arrived_at"),
    [pytest.param(30.76, 33.0, id="sent just before"), pytest.param(30.0, 31.24, id="arrived just after")],
)
def test_what_the_tolerance_covers_is_no_inversion(sent_at: float, arrived_at: float) -> None:
    """A high request that may not have been queued yet, or may have been dequeued already, is no inversion."""
    run = [*saturated(), make_trace("low-early", 29, 31), make_trace("high-late", sent_at, arrived_at)]
    assert verdict_on(run) is Verdict.PROVED


@pytest.mark.parametrize(
    ("accepted_at", "verdict"),
    [
        pytest.param(None, Verdict.VIOLATED, id="not known: it counts from the sending"),
        pytest.param(30.5, Verdict.VIOLATED, id="known, and early enough"),
        pytest.param(30.9, Verdict.PROVED, id="known, and just before"),
        pytest.param(inf, Verdict.PROVED, id="never known to be on its queue"),
    ],
)
def test_where_it_is_known_when_a_high_request_was_queued_the_tolerance_counts_from_then(
    accepted_at: float | None, verdict: Verdict
) -> None:
    """If the time of queueing is known, nothing before it is an inversion of that request."""
    run = [*saturated(), make_trace("low-early", 29, 31), make_trace("high-late", 30, 33, accepted_at=accepted_at)]
    assert verdict_on(run) is verdict


def test_a_high_request_that_was_left_waiting_for_good_is_kept_waiting_by_the_low_ones() -> None:
    """A high request that waits until its client leaves is inverted by the low ones, although it never arrives."""
    starved = make_trace("high-starved", 30, None, ended_at=40, outcome="left")
    assert verdict_on([*saturated(), starved, make_trace("low-fed", 29, 35)]) is Verdict.VIOLATED


@pytest.mark.parametrize(("outcome", "status"), [("failed", None), ("answered", 503)])
def test_a_high_request_that_never_arrives_is_no_inversion(outcome: Outcome, status: int | None) -> None:
    """A high request that failed before it arrived may never have been queued: it is no inversion and no proof."""
    lost = make_trace("high-lost", 30, None, ended_at=40, outcome=outcome, status=status)
    finding = judge_order([*saturated(), lost, make_trace("low-fed", 29, 35)], T).finding
    assert finding.verdict is Verdict.UNPROVED
    assert finding.reason.startswith("1 high requests never reached the target")


@pytest.mark.parametrize(("outcome", "status"), [("failed", None), ("answered", 503), ("left", None)])
def test_a_low_request_that_never_arrives_does_not_count(outcome: Outcome, status: int | None) -> None:
    """Low requests that were refused or cancelled do not change the verdict."""
    lost = make_trace("low-lost", 3, None, ended_at=3.1, outcome=outcome, status=status)
    assert verdict_on([*saturated(), lost]) is Verdict.PROVED


def test_a_high_request_that_arrives_twice_waited_until_the_first_time() -> None:
    """The wait of a request that was sent again ends with its first arrival."""
    again = make_trace("high-again", 30, 30.1, arrived_again=[36.0])
    assert verdict_on([*saturated(), again, make_trace("low-fed", 29, 33)]) is Verdict.PROVED


@pytest.mark.parametrize("tolerance_seconds", [0.0, -0.1, nan])
def test_a_tolerance_must_be_above_0(tolerance_seconds: float) -> None:
    """A tolerance of 0 or less is refused, and the error names it."""
    with pytest.raises(ValueError, match=f"the tolerance is {tolerance_seconds} s"):
        judge_order([], tolerance_seconds)


def test_the_work_grows_with_the_requests_not_with_their_pairs() -> None:
    """The wait of a request is looked at a few times in each search, however many others there are."""
    looks = 0

    class Watched(RequestTrace):
        @property
        def waited_until(self) -> float:
            nonlocal looks
            looks += 1
            return self.sent.ended_at

    def watched(name: str, at: float) -> RequestTrace:
        made = make_trace(f"{name}-{at}", at, at + 500, ended_at=at + 500)
        return Watched(made.sent, made.arrivals)

    run = [watched(name, at) for at in range(2000) for name in ("high", "low")]
    low, high = of("low", run), of("high", run)
    assert find_inversions(low, high, T)
    assert find_overtakings(high, low, T) == []
    assert looks < 10 * len(run)
