"""Comparing with theory: simulated gateways without a flaw pass, and each flaw is found."""

import math
import statistics
from dataclasses import replace

import pytest

from loadtests.oracle.measurement import compare_with_theory
from loadtests.oracle.overheads import completed_requests
from loadtests.oracle.verdict import Verdict
from loadtests.oracle.wait_comparison import Comparison
from loadtests.queueing.formulas import Queue
from loadtests.queueing.perfect_queue import Customer, simulate_waits
from loadtests.records.traces import RequestTrace
from tests.unit.loadtests.imperfect_gateway import (
    ImperfectGateway,
    OrderResult,
    Way,
    any_first,
    low_first,
    low_first_at_times,
    oldest_first,
)

# At a low load few requests wait, so it takes longer to see enough of them.
SECONDS = {0.5: 300.0, 0.8: 60.0, 0.95: 60.0}
loads = pytest.mark.parametrize("load", SECONDS)


def verdicts(comparison: Comparison) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in comparison.findings()}


@loads
def test_a_gateway_that_does_it_right_waits_as_theory_says(load: float) -> None:
    """With hops of 1 to 3 ms, waits are within 5 % of theory, the intervals contain the truth, and all is proved."""
    gateway = ImperfectGateway()

    comparison = compare_with_theory(gateway.run(load, SECONDS[load], seed=1), gateway.slots)

    for waits in (comparison.high, comparison.low):
        assert waits.ratio == pytest.approx(1, abs=0.05)
        assert waits.ratio_interval[0] <= 1 <= waits.ratio_interval[1]
    assert verdicts(comparison) == {"waits": Verdict.PROVED, "slots busy": Verdict.PROVED}


@loads
def test_waking_idle_slots_is_no_flaw(load: float) -> None:
    """A gateway that needs half a millisecond more to wake an idle slot is not found to be wrong."""
    gateway = ImperfectGateway(waking_seconds=0.0005)

    found = verdicts(compare_with_theory(gateway.run(load, SECONDS[load], seed=2), gateway.slots))

    assert found == {"waits": Verdict.PROVED, "slots busy": Verdict.PROVED}


@pytest.mark.parametrize("load", [0.8, 0.95])
def test_the_interval_is_as_sure_as_it_says(load: float) -> None:
    """Over several short runs of a right gateway, nearly all intervals contain the true ratio, which is 1."""
    gateway = ImperfectGateway(slots=4)
    runs = [compare_with_theory(gateway.run(load, 30, seed), gateway.slots) for seed in range(8)]

    for priority in ("high", "low"):
        intervals = [(run.high if priority == "high" else run.low).ratio_interval for run in runs]
        assert sum(lowest <= 1 <= highest for lowest, highest in intervals) >= 7


@pytest.mark.parametrize(
    ("order", "load", "seconds"),
    [
        (oldest_first, 0.5, 120),
        (oldest_first, 0.8, 40),
        (oldest_first, 0.95, 40),
        (any_first, 0.8, 40),
        (low_first, 0.5, 120),
        (low_first, 0.8, 40),
        (low_first_at_times, 0.8, 120),
        (low_first_at_times, 0.95, 60),
    ],
)
def test_a_wrong_order_is_found(order: OrderResult, load: float, seconds: float) -> None:
    """FIFO, any order, low first, and a low one first every tenth time break the promise, and high ones suffer."""
    gateway = ImperfectGateway(order=order)

    comparison = compare_with_theory(gateway.run(load, seconds, seed=3), gateway.slots)

    assert verdicts(comparison)["waits"] is Verdict.VIOLATED
    assert comparison.high.ratio > 1.05
    assert comparison.low.ratio < 1


@loads
def test_slots_left_idle_are_found(load: float) -> None:
    """A gateway that polls every 20 ms leaves its slots idle for too long."""
    gateway = ImperfectGateway(looks_every_seconds=0.02)

    comparison = compare_with_theory(gateway.run(load, 60, seed=4), gateway.slots)

    assert verdicts(comparison)["slots busy"] is Verdict.VIOLATED
    assert comparison.utilisation < 0.85


def test_a_slot_that_is_never_used_is_found() -> None:
    """A gateway that has 8 slots and uses 7 leaves too much of them idle while requests wait."""
    comparison = compare_with_theory(ImperfectGateway(slots=7).run(0.9, 40, seed=5), 8)

    assert verdicts(comparison)["slots busy"] is Verdict.VIOLATED


def test_more_slots_than_there_should_be_are_found() -> None:
    """Waits that are far shorter than possible break the promise as well: more requests are let through."""
    comparison = compare_with_theory(ImperfectGateway(slots=10).run(0.76, 60, seed=6), 8)

    assert verdicts(comparison)["waits"] is Verdict.VIOLATED
    assert comparison.low.ratio < 0.8


@pytest.fixture(scope="module")
def traces() -> tuple[RequestTrace, ...]:
    return ImperfectGateway().run(0.8, 40, seed=7)


def test_the_numbers_fit_together(traces: tuple[RequestTrace, ...]) -> None:
    """Rates, load, theory, estimate and ratio match their definitions."""
    found = compare_with_theory(traces, 8)

    queue = Queue(8, found.service_seconds + found.turnaround_seconds, found.high_per_second, found.low_per_second)
    assert found.load == queue.load == pytest.approx(0.8, rel=0.05)
    assert (found.high_per_second + found.low_per_second) * found.seconds == pytest.approx(len(traces))
    assert found.high.requests + found.low.requests == len(traces)
    assert found.high.theory_seconds == queue.high_wait_seconds
    assert found.low.theory_seconds == queue.low_wait_seconds
    for waits in (found.high, found.low):
        by_definition = waits.theory_seconds * waits.measured_seconds / waits.perfect_seconds
        assert waits.estimated_seconds == pytest.approx(by_definition)
        assert waits.ratio == pytest.approx(waits.estimated_seconds / waits.theory_seconds)
        assert waits.interval_seconds[0] < waits.estimated_seconds < waits.interval_seconds[1]
    assert found.high.perfect_seconds < found.fifo_seconds < found.low.perfect_seconds
    assert (found.lost, found.free > 1000, found.refills > 1000) == (0, True, True)


def test_a_warm_up_shapes_the_queue_and_is_not_counted(traces: tuple[RequestTrace, ...]) -> None:
    """Requests of the first seconds count neither in rates nor in waits, and the gateway's own times stay the same."""
    whole, cut = compare_with_theory(traces, 8), compare_with_theory(traces, 8, warm_up_seconds=10)

    assert cut.seconds == pytest.approx(whole.seconds - 10)
    assert cut.high.requests < whole.high.requests
    assert (cut.transit_seconds, cut.turnaround_seconds) == (whole.transit_seconds, whole.turnaround_seconds)
    assert cut.high.ratio == pytest.approx(whole.high.ratio, abs=0.05)


@pytest.mark.parametrize("warm_up_seconds", [0.0, 10.0])
def test_without_priorities_the_perfect_queue_is_fifo(traces: tuple[RequestTrace, ...], warm_up_seconds: float) -> None:
    """The FIFO wait is the mean wait of the same requests in a perfect queue without priorities."""
    found = compare_with_theory(traces, 8, warm_up_seconds)
    requests = completed_requests(traces)

    customers = [
        Customer(one.sent_at, one.priority, one.service_seconds + found.turnaround_seconds) for one in requests
    ]
    waits = zip(requests, simulate_waits(customers, 8, "fifo"), strict=True)
    counted = [wait for request, wait in waits if request.sent_at >= requests[0].sent_at + warm_up_seconds]
    assert found.fifo_seconds == pytest.approx(statistics.fmean(counted))


@pytest.mark.parametrize(("share", "verdict"), [(0.005, Verdict.PROVED), (0.02, Verdict.UNPROVED)])
def test_lost_requests_are_counted(traces: tuple[RequestTrace, ...], share: float, verdict: Verdict) -> None:
    """Requests that never arrived are left out and counted; with more than 1 % of them nothing is proved."""
    every = round(1 / share)
    thinned = [replace(one, arrivals=()) if number % every == 0 else one for number, one in enumerate(traces)]

    comparison = compare_with_theory(thinned, 8)

    assert comparison.lost == sum(not one.arrivals for one in thinned)
    assert set(verdicts(comparison).values()) == {verdict}


def test_a_short_run_has_the_wanted_duration_in_its_reason() -> None:
    """Where the estimate may be chance, the finding is unproved and names a longer time."""
    finding = compare_with_theory(ImperfectGateway().run(0.5, 40, seed=8), 8).findings()[0]

    assert finding.verdict is Verdict.UNPROVED
    assert "s would be enough" in finding.reason


def test_without_any_overhead_the_gateway_is_the_perfect_queue() -> None:
    """A gateway that costs nothing has no transit, no turnaround, full slots, and a ratio of 1 to the last digits."""
    nothing = Way(0.0, 0.0)
    gateway = ImperfectGateway(to_queue=nothing, to_target=nothing, back=nothing, settling=nothing)

    found = compare_with_theory(gateway.run(0.9, 40, seed=9), 8)

    assert found.transit_seconds == pytest.approx(0, abs=1e-6)
    assert found.turnaround_seconds == pytest.approx(0, abs=1e-6)
    assert found.utilisation == pytest.approx(1)
    for waits in (found.high, found.low):
        assert waits.ratio == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_a_run_of_nothing_is_compared_with_nothing(traces: tuple[RequestTrace, ...], count: int) -> None:
    """With fewer than two requests all numbers are 0, there is no ratio, and nothing is proved."""
    found = compare_with_theory(traces[:count], 8)

    assert found.load == found.service_seconds == found.low.measured_seconds == 0.0
    assert math.isnan(found.high.ratio)
    assert found.high.ratio_interval == (0.0, math.inf)
    assert set(verdicts(found).values()) == {Verdict.UNPROVED}


def test_one_class_alone_is_no_comparison(traces: tuple[RequestTrace, ...]) -> None:
    """If all requests are high, there is nothing that they could overtake, and nothing is proved."""
    high = [one for one in traces if one.sent.priority == "high"]

    finding = compare_with_theory(high, 8).findings()[0]

    assert finding.verdict is Verdict.UNPROVED
    assert finding.reason == "0 low requests count, and 200 are wanted: let it last longer"


def test_no_slots_are_refused() -> None:
    """A gateway without slots cannot be compared with anything."""
    with pytest.raises(ValueError, match="slots is 0; use 1 or more"):
        compare_with_theory((), 0)
