"""The demo: its plan, its record of requests, its picture and its summary."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from loadtests.demo.display import LiveView, progress_line
from loadtests.demo.monitor import DemoState
from loadtests.demo.request_log import RequestLog
from loadtests.demo.summary import write_summary
from loadtests.demo.traffic_plan import TrafficPlan
from loadtests.demo.verdict import FEWEST_JUDGED, DemoRequest, DemoVerdict, WaitStats, judge_demo, overtakes
from loadtests.oracle.ordering import Overtaking
from loadtests.records.traces import Arrival, RequestTrace, SentRequest

plans = st.builds(TrafficPlan, seconds=st.floats(2, 60), slots=st.integers(1, 64))


@given(plans)
def test_high_requests_are_sent_in_order_and_in_time(plan: TrafficPlan) -> None:
    """Every high request is sent within the traffic's time, the next never before the last."""
    times = list(plan.high_times_seconds())
    assert times == sorted(times)
    assert all(0 <= at < plan.seconds for at in times)


@given(plans)
def test_any_plan_sends_enough_to_judge(plan: TrafficPlan) -> None:
    """The shortest run at the fewest slots still has the high requests, and the waiting low ones, that it takes."""
    assert len(list(plan.high_times_seconds())) >= FEWEST_JUDGED
    assert plan.low_clients >= plan.slots + FEWEST_JUDGED


@given(st.builds(TrafficPlan, seconds=st.just(60.0), slots=st.integers(2, 64)))
def test_high_leaves_room_for_low(plan: TrafficPlan) -> None:
    """High requests alone do not fill the target, so that low ones are answered too."""
    assert len(list(plan.high_times_seconds())) < 0.5 * plan.seconds * plan.capacity_per_second


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def arrival(sequence: int, request_id: str | None, at: float = 200.0, in_flight: int = 1) -> dict[str, Any]:
    return {"sequence": sequence, "request_id": request_id, "arrived_at": at, "in_flight": in_flight}


def test_the_ledger_joins_what_clients_and_target_know() -> None:
    """A request's record has when its client sent it and when it started by the target's log."""
    request_log = RequestLog(Clock())
    first, second = request_log.next_request_id(Priority.LOW), request_log.next_request_id(Priority.HIGH)
    request_log.record_sent(first)
    request_log.record_sent(second)
    request_log.add_arrivals([arrival(1, second, at=150.0, in_flight=3)])
    evidence = request_log.evidence(slots=4)
    assert list(evidence.requests) == [
        DemoRequest(second, Priority.HIGH, 102.0, 150.0),
        DemoRequest(first, Priority.LOW, 101.0, None),
    ]
    assert evidence.most_in_flight == 3
    assert evidence.problems == []


def test_reading_the_log_twice_changes_nothing() -> None:
    """Known arrivals are skipped, and so are requests of other clients."""
    request_log = RequestLog(Clock())
    request_log.record_sent(request_log.next_request_id(Priority.LOW))
    log = [arrival(1, "low-1"), arrival(2, "another"), arrival(3, None)]
    request_log.add_arrivals(log)
    before = request_log.evidence(slots=1)
    request_log.add_arrivals(log)
    assert request_log.evidence(slots=1) == before
    assert len(before.requests) == 1


def test_a_hole_in_the_log_is_told() -> None:
    """Arrivals that the target's log had dropped before they were read are counted as trouble."""
    request_log = RequestLog(Clock())
    request_log.add_arrivals([arrival(1, None), arrival(4, None)])
    assert request_log.evidence(slots=1).problems == ["2 requests at the target are missing from its log"]


def test_failures_and_a_clock_that_was_set_are_told() -> None:
    """Requests that were not answered, and records that contradict each other, are trouble, each in a sentence."""
    request_log = RequestLog(Clock())
    request_log.record_sent(request_log.next_request_id(Priority.HIGH))
    request_log.add_arrivals([arrival(1, "high-1", at=1.0)])
    request_log.record_failure("status 502")
    failed, clock = request_log.evidence(slots=1).problems
    assert "status 502" in failed
    assert "clock" in clock


@given(st.lists(st.tuples(st.sampled_from(DEFAULT_LEVELS), st.booleans()), max_size=40), st.randoms())
def test_the_live_figure_is_the_verdicts(kinds: list[tuple[Priority, bool]], random: Any) -> None:
    """The picture and the final verdict count overtakings alike."""
    request_log = RequestLog(Clock())
    names = [(request_log.next_request_id(priority), starts) for priority, starts in kinds]
    for name, _ in names:
        request_log.record_sent(name)
    started = [name for name, starts in names if starts]
    random.shuffle(started)
    request_log.add_arrivals(arrival(number, name, at=1000.0 + number) for number, name in enumerate(started, start=1))
    assert request_log.lanes[Priority.HIGH].overtakes == sorted(overtakes(request_log.evidence(slots=1).requests))


def scene_of(high: int, low: int, seconds: float = 5.0) -> DemoState:
    request_log = RequestLog(Clock())
    names = [request_log.next_request_id(Priority.LOW) for _ in range(low)] + [
        request_log.next_request_id(Priority.HIGH) for _ in range(high)
    ]
    for name in names:
        request_log.record_sent(name)
    request_log.add_arrivals(
        arrival(number, name, at=1000.0 + number) for number, name in enumerate(reversed(names), start=1)
    )
    waiting = {Priority.HIGH: high, Priority.LOW: low}
    return DemoState(TrafficPlan(seconds, 4), request_log, elapsed_seconds=seconds / 2, waiting=waiting, in_flight=4)


def drawn(state: DemoState, width: int, encoding: str = "utf-8") -> list[str]:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=output, width=width, color_system=None, legacy_windows=False).print(LiveView(state))
    output.seek(0)
    return output.read().splitlines()


@given(st.integers(0, 300), st.integers(0, 300), st.integers(40, 200))
def test_the_picture_fits_the_terminal(high: int, low: int, width: int) -> None:
    """No line is wider than the terminal, and there are never more or fewer lines than before."""
    lines = drawn(scene_of(high, low), width)
    assert all(len(line) <= width for line in lines)
    assert len(lines) == len(drawn(scene_of(0, 0), width))


def test_the_picture_shows_high_moving_forward() -> None:
    """High requests that were sent last and started first are at the end of one strip and the start of the other."""
    strips = [line.split()[-1] for line in drawn(scene_of(high=3, low=5), 80) if line.lstrip().startswith("as ")]
    assert strips == ["·····HHH", "HHH·····"]


def test_the_picture_does_without_unicode() -> None:
    """A terminal that can show only ASCII gets a picture, too."""
    assert any("HHH....." in line for line in drawn(scene_of(high=3, low=5), 80, encoding="ascii"))


def test_the_progress_line_names_both_priorities() -> None:
    """In a log, one line has the number of waiting requests of each priority."""
    line = progress_line(scene_of(high=3, low=5))
    assert "high: 3 wait" in line
    assert "low: 5 wait" in line


WAITS = WaitStats(started=7, median_seconds=0.25, longest_seconds=0.5)


def said(verdict: DemoVerdict) -> str:
    return "\n".join(line.plain for line in write_summary(verdict, TrafficPlan(5.0, 4)))


def test_the_summary_of_a_passed_run() -> None:
    """A passed run ends with PASSED, and the number of judged high requests."""
    words = said(DemoVerdict(WAITS, WAITS, 3, 12.0, (), ()))
    assert "PASSED, 0 inversions" in words
    assert "3 high ones waited long enough to be judged" in words
    assert "overtook 12 low ones" in words


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (10, 10), (25, 10)])
def test_the_summary_of_a_bad_run_names_the_requests(count: int, shown: int) -> None:
    """A failed run lists the first inversions with both requests, and the number of further ones."""
    high = RequestTrace(SentRequest("high-9", "high", 10.0, 12.0, "answered"), (Arrival("high-9", 11.0),))
    low = (
        RequestTrace(SentRequest(name, "low", 9.0, 12.0, "answered"), (Arrival(name, 10.5),))
        for name in map(str, range(count))
    )
    found = tuple(Overtaking(one, high) for one in low)
    words = said(DemoVerdict(WAITS, WAITS, 3, 12.0, found, ()))
    assert f"FAILED, {count} inversions" in words
    assert words.count("arrived while high-9 had waited 0.500 s") == shown
    assert ("more like these" in words) == (count > shown)


def test_the_summary_of_an_empty_run_proves_nothing() -> None:
    """A run that proves nothing is not called passed, and the reason is given."""
    words = said(judge_demo(RequestLog(Clock()).evidence(slots=4)))
    assert "This run proves nothing: " in words
    assert "PASSED" not in words
