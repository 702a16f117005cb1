"""The demo's plan, its book of requests, its picture and its summary."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fast_priority.priority import Priority
from loadtests.demo.display import Picture, progress_line
from loadtests.demo.monitor import Scene
from loadtests.demo.request_log import Ledger
from loadtests.demo.summary import summary
from loadtests.demo.traffic_plan import Plan
from loadtests.demo.verdict import FEWEST_JUDGED, Passage, Verdict, Waits, judge, overtakes
from loadtests.oracle.ordering import Passing
from loadtests.records.traces import Arrival, Sent
from loadtests.records.traces import Passage as JudgedPassage

plans = st.builds(Plan, seconds=st.floats(2, 60), slots=st.integers(1, 64))


@given(plans)
def test_high_requests_are_sent_in_order_and_in_time(plan: Plan) -> None:
    """Every high request is sent within the traffic's time, the next never before the last."""
    times = list(plan.high_times_seconds())
    assert times == sorted(times)
    assert all(0 <= at < plan.seconds for at in times)


@given(plans)
def test_any_plan_sends_enough_to_judge(plan: Plan) -> None:
    """The shortest run at the fewest slots still has the high requests, and the waiting low ones, that it takes."""
    assert len(list(plan.high_times_seconds())) >= FEWEST_JUDGED
    assert plan.low_clients >= plan.slots + FEWEST_JUDGED


@given(st.builds(Plan, seconds=st.just(60.0), slots=st.integers(2, 64)))
def test_high_leaves_room_for_low(plan: Plan) -> None:
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
    """A request's record has when its client sent it and when the target's log says that it was started."""
    ledger = Ledger(Clock())
    first, second = ledger.name(Priority.LOW), ledger.name(Priority.HIGH)
    ledger.send(first)
    ledger.send(second)
    ledger.read([arrival(1, second, at=150.0, in_flight=3)])
    evidence = ledger.evidence(slots=4)
    assert list(evidence.passages) == [
        Passage(second, Priority.HIGH, 102.0, 150.0),
        Passage(first, Priority.LOW, 101.0, None),
    ]
    assert evidence.most_in_flight == 3
    assert evidence.troubles == []


def test_reading_the_log_twice_changes_nothing() -> None:
    """Arrivals that are known already are skipped, and requests that are not the demo's own are nobody's."""
    ledger = Ledger(Clock())
    ledger.send(ledger.name(Priority.LOW))
    log = [arrival(1, "low-1"), arrival(2, "another"), arrival(3, None)]
    ledger.read(log)
    before = ledger.evidence(slots=1)
    ledger.read(log)
    assert ledger.evidence(slots=1) == before
    assert len(before.passages) == 1


def test_a_hole_in_the_log_is_told() -> None:
    """Arrivals that the target's log had dropped before they were read are counted as trouble."""
    ledger = Ledger(Clock())
    ledger.read([arrival(1, None), arrival(4, None)])
    assert ledger.evidence(slots=1).troubles == ["2 requests at the target are missing from its log"]


def test_failures_and_a_clock_that_was_set_are_told() -> None:
    """Requests that were not answered, and records that contradict each other, are trouble, each in a sentence."""
    ledger = Ledger(Clock())
    ledger.send(ledger.name(Priority.HIGH))
    ledger.read([arrival(1, "high-1", at=1.0)])
    ledger.fail("status 502")
    failed, clock = ledger.evidence(slots=1).troubles
    assert "status 502" in failed
    assert "clock" in clock


@given(st.lists(st.tuples(st.sampled_from(Priority), st.booleans()), max_size=40), st.randoms())
def test_the_live_figure_is_the_verdicts(kinds: list[tuple[Priority, bool]], random: Any) -> None:
    """What the picture says of overtaking while it runs is what the verdict says at the end."""
    ledger = Ledger(Clock())
    names = [(ledger.name(priority), starts) for priority, starts in kinds]
    for name, _ in names:
        ledger.send(name)
    started = [name for name, starts in names if starts]
    random.shuffle(started)
    ledger.read(arrival(number, name, at=1000.0 + number) for number, name in enumerate(started, start=1))
    assert ledger.lanes[Priority.HIGH].overtakes == sorted(overtakes(ledger.evidence(slots=1).passages))


def scene_of(high: int, low: int, seconds: float = 5.0) -> Scene:
    ledger = Ledger(Clock())
    names = [ledger.name(Priority.LOW) for _ in range(low)] + [ledger.name(Priority.HIGH) for _ in range(high)]
    for name in names:
        ledger.send(name)
    ledger.read(arrival(number, name, at=1000.0 + number) for number, name in enumerate(reversed(names), start=1))
    waiting = {Priority.HIGH: high, Priority.LOW: low}
    return Scene(Plan(seconds, 4), ledger, elapsed_seconds=seconds / 2, waiting=waiting, in_flight=4)


def drawn(scene: Scene, width: int, encoding: str = "utf-8") -> list[str]:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=output, width=width, color_system=None, legacy_windows=False).print(Picture(scene))
    output.seek(0)
    return output.read().splitlines()


@given(st.integers(0, 300), st.integers(0, 300), st.integers(40, 200))
def test_the_picture_fits_the_terminal(high: int, low: int, width: int) -> None:
    """No line is wider than the terminal, and there are never more or fewer lines than before."""
    lines = drawn(scene_of(high, low), width)
    assert all(len(line) <= width for line in lines)
    assert len(lines) == len(drawn(scene_of(0, 0), width))


def test_the_picture_shows_high_moving_forward() -> None:
    """High requests that were sent last and started first stand at the end of one strip and the start of the other."""
    strips = [line.split()[-1] for line in drawn(scene_of(high=3, low=5), 80) if line.lstrip().startswith("as ")]
    assert strips == ["·····HHH", "HHH·····"]


def test_the_picture_does_without_unicode() -> None:
    """A terminal that knows ASCII only gets a picture too."""
    assert any("HHH....." in line for line in drawn(scene_of(high=3, low=5), 80, encoding="ascii"))


def test_the_progress_line_names_both_priorities() -> None:
    """In a log, one line tells how many of each priority wait."""
    line = progress_line(scene_of(high=3, low=5))
    assert "high: 3 wait" in line
    assert "low: 5 wait" in line


WAITS = Waits(started=7, median_seconds=0.25, longest_seconds=0.5)


def said(verdict: Verdict) -> str:
    return "\n".join(line.plain for line in summary(verdict, Plan(5.0, 4)))


def test_the_summary_of_a_good_run_says_so() -> None:
    """A run that passed ends with that word, and says how many high requests could tell."""
    words = said(Verdict(WAITS, WAITS, 3, 12.0, (), ()))
    assert "PASSED, 0 inversions" in words
    assert "3 high ones waited long enough to tell" in words
    assert "overtook 12 low ones" in words


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (10, 10), (25, 10)])
def test_the_summary_of_a_bad_run_names_the_requests(count: int, shown: int) -> None:
    """A run that failed names the first inversions by both requests, and says how many more there are."""
    high = JudgedPassage(Sent("high-9", "high", 10.0, 12.0, "answered"), (Arrival("high-9", 11.0),))
    low = (
        JudgedPassage(Sent(name, "low", 9.0, 12.0, "answered"), (Arrival(name, 10.5),))
        for name in map(str, range(count))
    )
    found = tuple(Passing(one, high) for one in low)
    words = said(Verdict(WAITS, WAITS, 3, 12.0, found, ()))
    assert f"FAILED, {count} inversions" in words
    assert words.count("arrived while high-9 had waited 0.500 s") == shown
    assert ("more like these" in words) == (count > shown)


def test_the_summary_of_an_empty_run_says_that_it_proves_nothing() -> None:
    """A run that proves nothing is not called passed, and the reason is given."""
    words = said(judge(Ledger(Clock()).evidence(slots=4)))
    assert "This run proves nothing: " in words
    assert "PASSED" not in words
