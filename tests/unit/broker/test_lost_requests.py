"""Which waiting requests a gateway looks at, and which of them it takes for lost."""

import pytest

from fast_priority.broker.producer.lost_requests import LostRequestDetector
from fast_priority.errors import RequestCancelled, RequestLost

A_TURN = 500
GONE, THERE = b"", b"queued"


def lookout_for(*request_ids: str) -> LostRequestDetector:
    """Looks after these, which came in this order."""
    lookout = LostRequestDetector()
    for request_id in request_ids:
        lookout.add(request_id)
    return lookout


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def look(lookout: LostRequestDetector, status: bytes = THERE, ending: tuple[str, ...] = ()) -> list[str]:
    """Look at those whose turn it is, all of which have this status, and give the ids."""
    ids = lookout.choose(look_at_all=False)
    lookout.note([(each, status) for each in ids], ending, 0)
    return ids


def test_few_are_all_looked_at() -> None:
    """As long as a turn holds all, all are looked at each time, the oldest first."""
    lookout = lookout_for(*numbers(A_TURN))
    assert [look(lookout), look(lookout)] == [numbers(A_TURN)] * 2


def test_many_take_turns() -> None:
    """Of more than that, each is looked at once before any is looked at again."""
    lookout = lookout_for(*numbers(3 * A_TURN))
    looks = [look(lookout) for _ in range(3)]
    assert {len(each) for each in looks} == {A_TURN}
    assert sorted(request_id for each in looks for request_id in each) == sorted(numbers(3 * A_TURN))


def test_an_ending_lease_is_looked_at_each_time() -> None:
    """A request whose lease ends soon is looked at, whoever's turn it is, until a look has found its job there."""
    lookout = lookout_for(*numbers(10 * A_TURN))
    late = str(9 * A_TURN)
    look(lookout, ending=(late,))
    assert [late in look(lookout, ending=(late,)), late in look(lookout), late in look(lookout)] == [True, True, False]


def test_the_lease_of_anothers_request_is_nothing() -> None:
    """A lease that ends, of a request of another gateway, is not looked at."""
    lookout = lookout_for("mine")
    assert [look(lookout, ending=("another's",)), look(lookout)] == [["mine"]] * 2


def test_a_missing_one_is_looked_at_again_at_once() -> None:
    """Whoever's job is missing once is in the next look, and it is made soon."""
    lookout = lookout_for(*numbers(2 * A_TURN))
    first = lookout.choose(look_at_all=False)
    lookout.note([("3", GONE)], (), 0)
    assert lookout.is_urgent
    assert ("3" in first, "3" in lookout.choose(look_at_all=False)) == (True, True)


def test_one_lost_has_all_looked_at() -> None:
    """Once one is lost, the next look is at all."""
    lookout = lookout_for(*numbers(2 * A_TURN))
    for _ in range(2):
        lost = lookout.note([("3", GONE)], (), 0)
    assert [request_id for request_id, error in lost if isinstance(error, RequestLost)] == ["3"]
    assert lookout.is_urgent
    lookout.drop("3")
    assert len(look(lookout)) == 2 * A_TURN - 1
    assert len(look(lookout)) == A_TURN


def test_many_ending_leases_have_all_looked_at() -> None:
    """When so many leases end that not all are told of, the next look is at all, and is made soon."""
    lookout = lookout_for(*numbers(2 * A_TURN))
    look(lookout, ending=tuple(f"another's {number}" for number in range(1000)))
    assert (lookout.is_urgent, look(lookout)) == (True, numbers(2 * A_TURN))
    assert (lookout.is_urgent, len(look(lookout))) == (False, A_TURN)


def test_everyone() -> None:
    """When everybody may be lost, all are looked at, the oldest first, whoever is suspected already."""
    lookout = lookout_for(*numbers(2 * A_TURN))
    look(lookout, ending=("700",))
    assert lookout.choose(look_at_all=True) == numbers(2 * A_TURN)


@pytest.mark.parametrize("status", [b"canceled", b"stopped"])
def test_cancelled(status: bytes) -> None:
    """What somebody has cancelled is given up at the first look."""
    [(request_id, error)] = lookout_for("mine").note([("mine", status)], (), 1)
    assert (request_id, type(error)) == ("mine", RequestCancelled)


def test_nothing_is_kept_of_what_is_dropped() -> None:
    """A request that is answered is never looked at again, suspected or not, and takes no room."""
    lookout = lookout_for(*numbers(2 * A_TURN))
    look(lookout, GONE, ending=("999",))
    for request_id in numbers(2 * A_TURN):
        lookout.drop(request_id)
    assert (look(lookout), len(lookout), lookout.is_urgent) == ([], 0, False)
    assert lookout.note([("3", GONE)], ("999",), 0) == []
