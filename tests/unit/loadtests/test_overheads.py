"""Transit and turnaround: measured in the records of a simulated gateway, where they are known."""

import pytest

from loadtests.oracle.overheads import CompletedRequest, completed_requests, measure_overheads
from loadtests.records.traces import Arrival, RequestTrace, SentRequest
from tests.unit.loadtests.imperfect_gateway import ImperfectGateway, Way

GATEWAYS = {
    "usual": ImperfectGateway(),
    "one slot": ImperfectGateway(slots=1),
    "quick": ImperfectGateway(
        to_queue=Way(0.0003, 0.0002),
        to_target=Way(0.0002, 0.0002),
        back=Way(0.0002, 0.0001),
        settling=Way(0.0002, 0.0001),
    ),
    "unsteady": ImperfectGateway(to_queue=Way(0.001, 0.003), to_target=Way(0.0005, 0.001)),
    "slow to settle": ImperfectGateway(settling=Way(0.01, 0.0)),
    "wakes its idle slots": ImperfectGateway(waking_seconds=0.0005),
}


@pytest.mark.parametrize("load", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("name", GATEWAYS)
def test_transit_and_turnaround_are_found_again(name: str, load: float) -> None:
    """Both are measured to within a tenth, at any load and with large jitter."""
    gateway = GATEWAYS[name]
    # At a low load few requests have to wait, and turnaround is only seen when some do.
    requests = completed_requests(gateway.run(load, 60 * 0.95 / load * 8 / gateway.slots, seed=1))

    overheads = measure_overheads(requests, gateway.slots)

    assert overheads.transit_seconds == pytest.approx(gateway.transit_seconds, rel=0.1)
    assert overheads.turnaround_seconds == pytest.approx(gateway.turnaround_seconds, rel=0.1)


def test_utilisation_is_what_turnaround_leaves() -> None:
    """While requests wait, a slot is in use for service / (service + turnaround) of its time."""
    gateway = ImperfectGateway(settling=Way(0.01, 0.0))

    overheads = measure_overheads(completed_requests(gateway.run(0.9, 60, seed=2)), gateway.slots)

    assert overheads.utilisation == pytest.approx(0.05 / (0.05 + gateway.turnaround_seconds), rel=0.01)


def test_a_slot_that_is_never_used_is_seen() -> None:
    """A gateway that uses 7 of 8 slots has a utilisation of at most 7/8, so its turnaround is measured as longer."""
    gateway = ImperfectGateway(slots=7)

    overheads = measure_overheads(completed_requests(gateway.run(0.9, 60, seed=3)), 8)

    assert overheads.utilisation < 7 / 8
    assert overheads.turnaround_seconds > 2 * gateway.turnaround_seconds


def test_by_hand_with_one_slot() -> None:
    """One slot, 10 s for each request, 1 s of transit and 2 s of turnaround give the numbers counted by hand."""
    requests = [
        CompletedRequest(0.0, 1.0, 11.0, "high"),
        CompletedRequest(2.0, 13.0, 23.0, "high"),
        CompletedRequest(3.0, 25.0, 35.0, "low"),
        CompletedRequest(60.0, 61.0, 71.0, "low"),
    ]

    overheads = measure_overheads(requests, 1)

    assert overheads.transit_seconds == 1.0
    assert overheads.turnaround_seconds == 2.0
    assert [request.sent_at for request in overheads.free] == [0.0, 60.0]
    assert [refill.at for refill in overheads.refills] == [13.0, 25.0]
    # From 4.0, two transits after the first one that waits was sent, to 25.0: 21 s, of which the slot was idle for 4.
    assert overheads.utilisation == pytest.approx(17 / 21)


def test_a_stalled_machine_counts_only_for_waiting_requests() -> None:
    """If all slots run empty while one request waits, only one turnaround counts."""
    requests = [CompletedRequest(0.0, 0.1, 10.0 + n / 100, "high") for n in range(4)]
    requests += [
        CompletedRequest(5.0, 30.0, 31.0, "high"),
        CompletedRequest(60.0, 60.1, 61.0, "high"),
        CompletedRequest(61.0, 61.1, 62.0, "high"),
    ]

    overheads = measure_overheads(requests, 4)

    assert [refill.turnaround_seconds for refill in overheads.refills] == [20.0]


def test_without_waiting_there_is_no_turnaround() -> None:
    """If no request waits for a slot, turnaround and utilisation are 0."""
    overheads = measure_overheads([CompletedRequest(10.0 * n, 10.0 * n + 1, 10.0 * n + 5, "high") for n in range(9)], 4)

    assert (overheads.turnaround_seconds, overheads.utilisation, overheads.refills) == (0.0, 0.0, ())


def test_if_none_found_a_slot_free_transit_is_the_least_delay() -> None:
    """Without a request that certainly did not wait, the transit is the shortest delay."""
    requests = [CompletedRequest(0.0, 1.0, 9.0, "high"), CompletedRequest(0.1, 10.1, 20.0, "high")]

    overheads = measure_overheads(requests, 1)

    assert overheads.free == ()
    assert overheads.transit_seconds == 1.0


def trace(request_id: str, sent_at: float, *arrivals: Arrival) -> RequestTrace:
    return RequestTrace(SentRequest(request_id, "high", sent_at, sent_at + 100, "answered", 200), arrivals)


def test_only_completed_requests_count() -> None:
    """Requests that never arrived, never finished, or finished before they arrived are excluded."""
    traces = [
        trace("late", 5.0, Arrival("late", 6.0, 7.0)),
        trace("first", 1.0, Arrival("first", 2.0, 3.0), Arrival("first", 4.0, 5.0)),
        trace("lost", 2.0),
        trace("unfinished", 3.0, Arrival("unfinished", 4.0)),
        trace("clock set back", 4.0, Arrival("clock set back", 5.0, 4.9)),
    ]

    assert completed_requests(traces) == (
        CompletedRequest(1.0, 2.0, 3.0, "high"),
        CompletedRequest(5.0, 6.0, 7.0, "high"),
    )
