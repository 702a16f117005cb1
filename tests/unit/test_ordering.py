"""The judge of priority order: what it must see, what it must never make up."""

import heapq
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.ordering import (
    ENOUGH_OVERTAKINGS,
    Journey,
    Outcome,
    Priority,
    Sent,
    Verdict,
    describe,
    find_inversions,
    find_overtakings,
    first_arrivals,
    judge,
)

T = 0.2

times = st.floats(min_value=0, max_value=100)


def journey(
    request_id: str,
    sent_at: float,
    arrived_at: float | None,
    ended_at: float | None = None,
    outcome: Outcome = "answered",
) -> Journey:
    priority: Priority = "high" if request_id.startswith("high") else "low"
    if ended_at is None:
        ended_at = (sent_at if arrived_at is None else arrived_at) + 1
    return Journey(Sent(request_id, priority, sent_at, ended_at, outcome), arrived_at)


def judge_all(journeys: list[Journey], dropped: int = 0) -> tuple[Verdict, str]:
    arrived_at = {one.sent.request_id: one.arrived_at for one in journeys if one.arrived_at is not None}
    judgement = judge([one.sent for one in journeys], arrived_at, dropped=dropped, tolerance_seconds=T)
    return judgement.verdict, judgement.reason


def saturated(highs: int = ENOUGH_OVERTAKINGS) -> list[Journey]:
    """A run that proves the promise: one low request waits throughout, and the high ones pass it."""
    passing = [journey(f"high-{second}", second, second + 0.1) for second in range(1, highs + 1)]
    return [journey("low-0", 0, highs + 5), *passing]


@st.composite
def journeys(draw: st.DrawFn, prefix: str) -> list[Journey]:
    waits = st.one_of(st.none(), st.floats(min_value=0, max_value=50))
    pairs = draw(st.lists(st.tuples(times, waits), max_size=12))
    return [
        journey(f"{prefix}-{index}", sent_at, None if wait is None else sent_at + wait, sent_at + 60, "abandoned")
        for index, (sent_at, wait) in enumerate(pairs)
    ]


def served(seed: int, slots: int, *, by_priority: bool, longest_delay: float) -> list[Journey]:
    """Simulate slots that serve a flood, with delays on the way to the queue and from it to the target."""
    random = Random(seed)
    sendings = sorted(
        (random.uniform(0, 20), "high" if random.random() < 0.3 else "low", index) for index in range(120)
    )
    coming = [(at + random.uniform(0, longest_delay), at, name, index) for at, name, index in sendings]
    heapq.heapify(coming)
    queue: list[tuple[bool, float, float, str]] = []
    free_at = [0.0] * slots
    result = []
    while coming or queue:
        now = heapq.heappop(free_at)
        if not queue:
            now = max(now, coming[0][0])
        while coming and coming[0][0] <= now:
            queued_at, sent_at, name, index = heapq.heappop(coming)
            heapq.heappush(queue, (by_priority and name == "low", queued_at, sent_at, f"{name}-{index}"))
        _, _, sent_at, request_id = heapq.heappop(queue)
        arrived_at = now + random.uniform(0, longest_delay)
        ended_at = arrived_at + random.uniform(0.1, 1)
        heapq.heappush(free_at, ended_at)
        result.append(journey(request_id, sent_at, arrived_at, ended_at))
    return result


@given(journeys("low"), journeys("high"))
def test_an_inversion_is_found_exactly_where_a_high_request_was_kept_waiting(
    low: list[Journey], high: list[Journey]
) -> None:
    """A low request is named if and only if a high one was sent T before it arrived, and waited for T after."""

    def kept_waiting(other: Journey, now: float) -> bool:
        return other.sent.sent_at + T <= now and now + T <= other.waited_until

    found = find_inversions(low, high, T)
    assert {inversion.ahead.sent.request_id for inversion in found} == {
        one.sent.request_id
        for one in low
        if one.arrived_at is not None and any(kept_waiting(other, one.arrived_at) for other in high)
    }
    assert all(kept_waiting(inversion.behind, inversion.ahead.waited_until) for inversion in found)


@given(journeys("high"), journeys("low"))
def test_an_overtaking_is_found_exactly_where_a_low_request_was_sent_first_and_left_behind(
    high: list[Journey], low: list[Journey]
) -> None:
    """A high request is named if and only if a low one was sent T before it, and waited for T after it arrived."""

    def left_behind(other: Journey, one: Journey) -> bool:
        return other.sent.sent_at + T <= one.sent.sent_at and one.waited_until + T <= other.waited_until

    found = find_overtakings(high, low, T)
    assert {overtaking.ahead.sent.request_id for overtaking in found} == {
        one.sent.request_id
        for one in high
        if one.arrived_at is not None and any(left_behind(other, one) for other in low)
    }
    assert all(left_behind(overtaking.behind, overtaking.ahead) for overtaking in found)


@given(journeys("low"), journeys("high"), st.floats(min_value=0, max_value=10), st.floats(min_value=0, max_value=10))
def test_a_larger_tolerance_never_finds_more(
    low: list[Journey], high: list[Journey], tolerance: float, more: float
) -> None:
    """What a tolerance excuses, every larger one excuses too."""
    strict = {one.ahead.sent.request_id for one in find_inversions(low, high, tolerance)}
    lenient = {one.ahead.sent.request_id for one in find_inversions(low, high, tolerance + more)}
    assert lenient <= strict


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_a_gateway_that_keeps_the_promise_is_never_accused(seed: int, slots: int) -> None:
    """However the delays on both ways fall, together within T, slots that take high first give no inversion."""
    verdict, _ = judge_all(served(seed, slots, by_priority=True, longest_delay=T / 2))
    assert verdict is not Verdict.VIOLATED


@given(st.integers(0, 10_000))
def test_a_gateway_that_keeps_the_promise_under_saturation_is_proved_right(seed: int) -> None:
    """With one slot for three times what it can serve, it is proved right, if only enough high requests overtook."""
    run = served(seed, 1, by_priority=True, longest_delay=T / 2)
    high = [one for one in run if one.sent.priority == "high"]
    low = [one for one in run if one.sent.priority == "low"]
    enough = len(find_overtakings(high, low, T)) >= ENOUGH_OVERTAKINGS
    assert judge_all(run)[0] is (Verdict.PROVED if enough else Verdict.UNPROVED)


def test_a_saturated_gateway_that_keeps_the_promise_can_be_proved_right() -> None:
    """A flood of 120 requests at one slot has enough overtakings."""
    assert judge_all(served(0, 1, by_priority=True, longest_delay=T / 2))[0] is Verdict.PROVED


@given(st.integers(0, 10_000))
def test_a_gateway_without_priorities_is_found_out(seed: int) -> None:
    """Under saturation, first come first served is a violation, and no high request overtakes."""
    run = served(seed, 2, by_priority=False, longest_delay=T / 2)
    high = [one for one in run if one.sent.priority == "high"]
    low = [one for one in run if one.sent.priority == "low"]
    assert judge_all(run)[0] is Verdict.VIOLATED
    assert find_overtakings(high, low, T) == []


def test_high_requests_that_pass_a_waiting_low_one_prove_the_promise() -> None:
    """Enough of them, and no inversion: proved."""
    assert judge_all(saturated())[0] is Verdict.PROVED


def test_too_few_overtakings_prove_nothing() -> None:
    """One less than enough may be luck."""
    verdict, reason = judge_all(saturated(ENOUGH_OVERTAKINGS - 1))
    assert verdict is Verdict.UNPROVED
    assert "send more low requests" in reason


def test_nothing_sent_proves_nothing() -> None:
    """An empty run is not a passed one."""
    assert judge_all([])[0] is Verdict.UNPROVED


def test_one_inversion_among_many_overtakings_is_a_violation() -> None:
    """The judgement names both requests and both waits."""
    run = [*saturated(), journey("high-late", 30, 33), journey("low-early", 29, 31)]
    judgement = judge(
        [one.sent for one in run], {one.sent.request_id: one.waited_until for one in run}, tolerance_seconds=T
    )
    assert judgement.verdict is Verdict.VIOLATED
    assert [str(inversion) for inversion in judgement.inversions] == [
        "low-early arrived while high-late had waited 1.000 s, and went on waiting 2.000 s"
    ]


@pytest.mark.parametrize(
    ("sent_at", "arrived_at"),
    [pytest.param(30.9, 33.0, id="sent just before"), pytest.param(30.0, 31.1, id="arrived just after")],
)
def test_what_the_tolerance_covers_is_no_inversion(sent_at: float, arrived_at: float) -> None:
    """A high request that may not have been queued yet, or may have been taken already, accuses nobody."""
    run = [*saturated(), journey("low-early", 29, 31), journey("high-late", sent_at, arrived_at)]
    assert judge_all(run)[0] is Verdict.PROVED


def test_a_high_request_that_never_arrives_is_kept_waiting_by_the_low_ones() -> None:
    """Starvation until the end of the run is a violation, though no arrival shows it."""
    run = [*saturated(), journey("high-starved", 30, None, 40, "abandoned"), journey("low-fed", 29, 35)]
    assert judge_all(run)[0] is Verdict.VIOLATED


def test_a_high_request_that_fails_on_its_way_accuses_nobody() -> None:
    """It may never have been on a queue; but a run in which high requests fail is no proof either."""
    run = [*saturated(), journey("high-lost", 30, None, 40, "failed"), journey("low-fed", 29, 35)]
    verdict, reason = judge_all(run)
    assert verdict is Verdict.UNPROVED
    assert "1 high requests failed" in reason


def test_a_refused_low_request_is_no_matter() -> None:
    """A flood may well be answered 503."""
    run = [*saturated(), journey("low-refused", 3, None, 3.1, "failed")]
    assert judge_all(run)[0] is Verdict.PROVED


def test_a_log_that_lost_arrivals_proves_nothing() -> None:
    """What is missing from it would look like waiting."""
    assert judge_all(saturated(), dropped=1)[0] is Verdict.UNPROVED


@pytest.mark.parametrize(
    ("arrived_at", "ended_at"), [pytest.param(4.9, 6, id="before it was sent"), pytest.param(7, 6, id="after its end")]
)
def test_clocks_that_disagree_prove_nothing(arrived_at: float, ended_at: float) -> None:
    """An arrival outside of the request's own life means that the two clocks cannot be compared."""
    verdict, reason = judge_all([*saturated(), journey("low-odd", 5, arrived_at, ended_at)])
    assert verdict is Verdict.UNPROVED
    assert "clocks" in reason


def test_an_abandoned_request_may_arrive_after_its_end() -> None:
    """It was on its way when its sender left."""
    assert judge_all([*saturated(), journey("low-left", 5, 6.1, 6, "abandoned")])[0] is Verdict.PROVED


def test_a_request_that_arrives_twice_counts_from_the_first_time() -> None:
    """And arrivals that carry no id are not ours."""
    log: list[dict[str, Any]] = [
        {"request_id": "a", "arrived_at": 1.0},
        {"request_id": None, "arrived_at": 2.0},
        {"request_id": "a", "arrived_at": 3.0},
    ]
    assert first_arrivals(log) == {"a": 1.0}


def test_the_report_shows_both_priorities_and_the_verdict() -> None:
    """What was sent, what arrived, how long it waited, and what follows."""
    run = saturated()
    judgement = judge(
        [one.sent for one in run], {one.sent.request_id: one.waited_until for one in run}, tolerance_seconds=T
    )
    assert describe(judgement).splitlines() == [
        "priority      sent  arrived  failed   median wait  longest wait",
        "high            20       20       0       0.100 s       0.100 s",
        "low              1        1       0      25.000 s      25.000 s",
        "high overtook low: 20   low went ahead of a waiting high: 0   (tolerance 0.2 s)",
        "PROVED: high requests overtook low ones, and no low request went ahead of a waiting high one",
    ]


def test_each_verdict_has_its_exit_code() -> None:
    """0 proved, 1 violated, 3 nothing proved."""
    assert [verdict.exit_code for verdict in (Verdict.PROVED, Verdict.VIOLATED, Verdict.UNPROVED)] == [0, 1, 3]
