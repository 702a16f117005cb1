"""Which waiting requests a gateway checks, and which of them are lost."""

import pytest

from fast_priority.broker.producer.lost_requests import LostRequestDetector
from fast_priority.errors import FailedByForeignWorker, RequestCancelled, RequestLost

A_TURN = 500
GONE, THERE = b"", b"queued"


def detector_of(*request_ids: str) -> LostRequestDetector:
    """Return a detector that watches these requests, in this order."""
    detector = LostRequestDetector()
    for request_id in request_ids:
        detector.add(request_id)
    return detector


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def look(detector: LostRequestDetector, status: bytes = THERE, ending: tuple[str, ...] = ()) -> list[str]:
    """Look at the chosen requests, all of which have this status, and return their ids."""
    ids = detector.choose(look_at_all=False)
    detector.note([(each, status) for each in ids], ending, 0)
    return ids


def test_few_are_all_checked() -> None:
    """As long as one turn holds all requests, each look checks all of them, the oldest first."""
    detector = detector_of(*numbers(A_TURN))
    assert [look(detector), look(detector)] == [numbers(A_TURN)] * 2


def test_many_take_turns() -> None:
    """If there are more, each is checked once before any is checked again."""
    detector = detector_of(*numbers(3 * A_TURN))
    looks = [look(detector) for _ in range(3)]
    assert {len(each) for each in looks} == {A_TURN}
    assert sorted(request_id for each in looks for request_id in each) == sorted(numbers(3 * A_TURN))


def test_an_ending_lease_is_checked_each_time() -> None:
    """A request whose lease ends soon is checked each time, until a look has found its job."""
    detector = detector_of(*numbers(10 * A_TURN))
    late = str(9 * A_TURN)
    look(detector, ending=(late,))
    assert [late in look(detector, ending=(late,)), late in look(detector), late in look(detector)] == [
        True,
        True,
        False,
    ]


def test_the_lease_of_another_gateway() -> None:
    """An ending lease of another gateway's request changes nothing."""
    detector = detector_of("mine")
    assert [look(detector, ending=("another's",)), look(detector)] == [["mine"]] * 2


def test_a_missing_one_is_checked_again_soon() -> None:
    """A request whose job is missing once is in the next look, which is made soon."""
    detector = detector_of(*numbers(2 * A_TURN))
    first = detector.choose(look_at_all=False)
    detector.note([("3", GONE)], (), 0)
    assert detector.is_urgent
    assert ("3" in first, "3" in detector.choose(look_at_all=False)) == (True, True)


def test_one_lost_request_makes_the_next_look_check_all() -> None:
    """Once a request is lost, the next look checks all."""
    detector = detector_of(*numbers(2 * A_TURN))
    for _ in range(2):
        lost = detector.note([("3", GONE)], (), 0)
    assert [request_id for request_id, error in lost if isinstance(error, RequestLost)] == ["3"]
    assert detector.is_urgent
    detector.drop("3")
    assert len(look(detector)) == 2 * A_TURN - 1
    assert len(look(detector)) == A_TURN


def test_many_ending_leases_make_the_next_look_check_all() -> None:
    """When more leases end than the script returns, the next look checks all, and is made soon."""
    detector = detector_of(*numbers(2 * A_TURN))
    look(detector, ending=tuple(f"another's {number}" for number in range(1000)))
    assert (detector.is_urgent, look(detector)) == (True, numbers(2 * A_TURN))
    assert (detector.is_urgent, len(look(detector))) == (False, A_TURN)


def test_look_at_all() -> None:
    """When any request may be lost, all are checked, the oldest first."""
    detector = detector_of(*numbers(2 * A_TURN))
    look(detector, ending=("700",))
    assert detector.choose(look_at_all=True) == numbers(2 * A_TURN)


@pytest.mark.parametrize("status", [b"canceled", b"stopped"])
def test_cancelled(status: bytes) -> None:
    """A request that a person has cancelled fails at the first look."""
    [(request_id, error)] = detector_of("mine").note([("mine", status)], (), 1)
    assert (request_id, type(error)) == ("mine", RequestCancelled)


def test_nothing_is_kept_of_a_dropped_request() -> None:
    """A request that is answered is never checked again, and takes no room."""
    detector = detector_of(*numbers(2 * A_TURN))
    look(detector, GONE, ending=("999",))
    for request_id in numbers(2 * A_TURN):
        detector.drop(request_id)
    assert (look(detector), len(detector), detector.is_urgent) == ([], 0, False)
    assert detector.note([("3", GONE)], ("999",), 0) == []


def test_a_job_that_failed_elsewhere_is_lost_at_once() -> None:
    """A job with which a worker failed that does not run our code is lost in the first look, with the reason."""
    detector = detector_of("mine")
    ((request_id, error),) = detector.note([("mine", b"failed elsewhere")], (), 5)
    assert (request_id, type(error)) == ("mine", FailedByForeignWorker)
    assert "not of Fast Priority 2" in error.detail
