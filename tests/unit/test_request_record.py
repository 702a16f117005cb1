"""What is noted of one request, and the times that follow from it."""

import pytest

from fast_priority import events
from fast_priority.events import NO_LEVEL, PASS_THROUGH, RequestRecord
from tests.unit.fake_clock import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    clock.seconds = 100.0
    monkeypatch.setattr(events, "monotonic", clock)
    return clock


def received(level: str) -> RequestRecord:
    record = RequestRecord("r1")
    record.level = level
    return record


def times(record: RequestRecord) -> tuple[float | None, float | None]:
    return record.queue_seconds, record.target_seconds


def test_a_slot_of_the_gateway(clock: FakeClock) -> None:
    """It waits until it has its slot, and is at the target until the head of its response has come."""
    record = received("high")
    clock.seconds = 102
    record.note_slot()
    clock.seconds = 105
    record.note_slot()
    assert times(record) == (2, None)
    record.note_head()
    clock.seconds = 110
    assert times(record) == (2, 3)


def test_what_skips_the_queues(clock: FakeClock) -> None:
    """It has no time in a queue."""
    record = received(PASS_THROUGH)
    record.note_slot()
    record.note_head(104)
    assert times(record) == (None, 4)


@pytest.mark.parametrize(
    ("until_sent", "until_head", "expected"),
    [(6, 5, (4, 5)), (6, None, (4, None)), (0, 0, (10, 0)), (900, 5, (0, 5)), (900, 800, (0, 10)), (6, 800, (4, 6))],
)
def test_a_slot_of_a_worker(
    clock: FakeClock, until_sent: float, until_head: float | None, expected: tuple[float, float | None]
) -> None:
    """The worker's durations count back from the moment in which its answer comes, and never past the request."""
    record = received("low")
    clock.seconds = 110
    record.note_worker(until_sent, until_head)
    assert times(record) == expected


@pytest.mark.parametrize(("status", "queue"), [(503, 7), (502, None), (408, None)])
def test_an_error_while_it_waits(clock: FakeClock, status: int, queue: float | None) -> None:
    """A 503 ends the wait. With any other error it may have had a slot, and nothing is claimed."""
    record = received("high")
    clock.seconds = 107
    record.note_error(status)
    clock.seconds = 109
    record.note_error(status)
    assert times(record) == (queue, None)


@pytest.mark.parametrize("status", [502, 504, 503])
def test_an_error_at_the_target(clock: FakeClock, status: int) -> None:
    """The target had the request until the error came; one that comes after the head changes nothing."""
    record = received("high")
    clock.seconds = 101
    record.note_slot()
    clock.seconds = 104
    record.note_error(status)
    clock.seconds = 109
    record.note_error(status)
    assert times(record) == (1, 3)


def test_an_error_before_it_has_a_level(clock: FakeClock) -> None:
    """It never waited."""
    record = received(NO_LEVEL)
    record.note_error(503)
    assert times(record) == (None, None)


def test_a_second_attempt(clock: FakeClock) -> None:
    """The times are those of the attempt that was answered, and all before it was waiting."""
    record = received("high")
    record.note_slot()
    clock.seconds = 103
    record.note_error(502)
    record.begin_second_attempt()
    clock.seconds = 105
    record.note_slot()
    clock.seconds = 106
    record.note_head()
    assert (record.attempt, *times(record)) == (2, 5, 1)
