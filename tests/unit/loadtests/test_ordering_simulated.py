"""The oracle on simulated gateways: it finds no inversion in right ones, and finds the wrong ones."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadtests.oracle.ordering import judge_order
from loadtests.oracle.verdict import Verdict
from loadtests.records.traces import RequestTrace
from tests.unit.loadtests.trace_rig import (
    Choice,
    Queued,
    TakeOneLowOutOfTurn,
    draw_delay,
    queue_all,
    serve,
    serve_evenly,
    serve_flood,
    take_any,
    take_high_first,
    take_oldest,
)

T = 0.1
PRECISION_SECONDS = 0.0001  # to which the tightest tolerance is searched for
# Slots become free less often than this.
GAP_SECONDS = 2 * T + 0.01

seeds = st.integers(0, 100_000)
shares = st.floats(0, 1)
# Each is a whole run of 120 requests.
some_runs = settings(max_examples=25)
some_slots = pytest.mark.parametrize("slots", [1, 4, 16])


def flood(seed: int, slots: int, choose: Choice, share: float) -> list[RequestTrace]:
    """Split T between the transit to the queue and the one to the target."""
    queueing, forwarding = T * share, T * (1 - share)
    return serve_flood(seed, slots, choose, queueing_seconds=queueing, forwarding_seconds=forwarding)


@some_slots
@some_runs
@given(seed=seeds, share=shares)
@example(seed=37077, share=1.0)
def test_a_gateway_that_keeps_the_promise_is_proved_right(slots: int, seed: int, share: float) -> None:
    """With any delays that sum up to at most T, slots that take high first cause no inversion."""
    order = judge_order(flood(seed, slots, take_high_first, share), T)
    assert order.finding.verdict is Verdict.PROVED
    assert order.tightest_tolerance_seconds <= T + PRECISION_SECONDS


@some_slots
@some_runs
@given(seed=seeds, share=shares)
def test_a_gateway_without_priorities_is_found_out(slots: int, seed: int, share: float) -> None:
    """Under saturation, first come, first served is a violation, and no high request overtakes."""
    order = judge_order(flood(seed, slots, take_oldest, share), T)
    assert order.finding.verdict is Verdict.VIOLATED
    assert order.overtakings == ()


@some_slots
@some_runs
@given(seed=seeds, share=shares)
def test_a_gateway_that_takes_anybody_is_found_out(slots: int, seed: int, share: float) -> None:
    """Under saturation, a random order is a violation, though high requests overtake as well."""
    order = judge_order(flood(seed, slots, take_any(Random(seed)), share), T)
    assert order.finding.verdict is Verdict.VIOLATED
    assert order.overtakings


@some_runs
@given(seeds, st.sampled_from([1, 4, 16]), st.floats(0, 5))
def test_where_queueing_is_seen_it_may_take_as_long_as_it_likes(
    seed: int, slots: int, longest_queueing_seconds: float
) -> None:
    """If the queueing time is known, T has to cover only the transit to the target."""
    run = serve_flood(
        seed, slots, take_high_first, queueing_seconds=longest_queueing_seconds, forwarding_seconds=T, seen=True
    )
    assert judge_order(run, T).inversions == ()


@some_runs
@given(seed=seeds, share=shares, slots=st.sampled_from([1, 4, 16]))
def test_one_single_low_request_out_of_turn_is_found_and_named(seed: int, share: float, slots: int) -> None:
    """Where slots become free less often than 2 T, it is named with a high one that waited then, and no other is."""
    choose = TakeOneLowOutOfTurn(waited_seconds=T)
    run = serve_evenly(
        seed, slots, choose, gap_seconds=GAP_SECONDS, queueing_seconds=T * share, forwarding_seconds=T * (1 - share)
    )
    assert choose.low is not None
    (inversion,) = judge_order(run, T).inversions
    assert inversion.ahead.sent.request_id == choose.low.request_id
    assert inversion.behind.sent.request_id in [one.request_id for one in choose.high]


def levels_flood(seed: int, names: list[str], served: list[str]) -> list[RequestTrace]:
    """Serve a flood of requests of these levels strictly in the order `served`, with four slots."""
    random = Random(seed)
    sendings = [(f"{names[index % len(names)]}-{index}", random.uniform(0, 20)) for index in range(60 * len(names))]

    def rank(one: Queued) -> tuple[int, float]:
        return served.index(one.request_id.partition("-")[0]), one.queued_at

    run = serve(
        queue_all(sendings, random, T / 2),
        lambda waiting, _now: min(waiting, key=rank),
        free_at=[0.0] * 4,
        hold_seconds=lambda: 4 * random.uniform(0.1, 0.9),
        forward_seconds=lambda: draw_delay(random, T / 2),
    )
    return [replace(one, sent=replace(one.sent, priority=one.sent.request_id.partition("-")[0])) for one in run]


some_levels = pytest.mark.parametrize(
    "names", [["high", "normal", "low"], ["urgent", "high", "normal", "low", "batch"]], ids=len
)


@some_levels
@some_runs
@given(seed=seeds)
def test_a_gateway_with_more_levels_is_proved_right(names: list[str], seed: int) -> None:
    """Slots that take the levels strictly in their order cause no inversion between any two of them."""
    assert judge_order(levels_flood(seed, names, names), T, names).finding.verdict is Verdict.PROVED


@some_levels
@some_runs
@given(seed=seeds, at=st.integers(0, 3))
def test_two_levels_in_the_wrong_order_are_found_out(names: list[str], seed: int, at: int) -> None:
    """Where one level alone goes ahead of the one before it, the verdict names these two and no others."""
    at %= len(names) - 1
    wrong = [*names[:at], names[at + 1], names[at], *names[at + 2 :]]
    finding = judge_order(levels_flood(seed, names, wrong), T, names).finding
    assert finding.verdict is Verdict.VIOLATED
    assert f"{names[at + 1]} requests reached the target while a {names[at]} one was waiting" in finding.reason
    assert ";" not in finding.reason


@pytest.mark.parametrize("levels", [[], ["high"], ["high", "low", "high"], ["urgent", "low"]])
def test_levels_that_cannot_be_judged(levels: list[str]) -> None:
    """Fewer than two levels, one that is there twice, and requests of another level are errors."""
    with pytest.raises(ValueError, match=r"levels are|has the level"):
        judge_order(flood(1, 1, take_high_first, 0.5), T, levels)
