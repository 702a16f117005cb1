"""Places in line: who reached the target sooner or later than the order of sending had it. Pure."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from loadtests.oracle import Order, Passing
from loadtests.records import Passage

MOST_IN_CLOSE_UP = 50
MOST_DRAWN_INVERSIONS = 200
"""Of all inversions so many have their line in the picture."""


def count_places(passages: Iterable[Passage]) -> dict[str, int]:
    """Give by request id how many places each request gained between sending and the target, below 0: lost.

    Only those that reached the target have a place. In a queue without priorities nobody gains or loses any.
    """
    by_arrival = sort_by_arrival(passages)
    sent_place = {one.sent.request_id: place for place, one in enumerate(sorted(by_arrival, key=_sending))}
    return {one.sent.request_id: sent_place[one.sent.request_id] - place for place, one in enumerate(by_arrival)}


def say_places(places: int) -> str:
    """Say a number of places with its sign."""
    return f"{places:+d}".replace("-", "\N{MINUS SIGN}") if places else "0"


def sort_by_arrival(passages: Iterable[Passage]) -> list[Passage]:
    """Give those that reached the target, in that order."""
    arrived = [(one.arrived_at, one) for one in passages if one.arrived_at is not None]
    return [one for _, one in sorted(arrived, key=lambda pair: pair[0])]


def choose_close_up(by_arrival: Sequence[Passage], order: Order) -> Sequence[Passage]:
    """Choose the requests to draw, that reached the target one after another, at most MOST_IN_CLOSE_UP.

    They are those with the most inversions among them, else with the most overtakings, else the first.
    """
    last_start = max(0, len(by_arrival) - MOST_IN_CLOSE_UP)
    index = {one.sent.request_id: place for place, one in enumerate(by_arrival)}
    inversions = _count_inside(order.inversions, index, last_start)
    overtakings = _count_inside(order.overtakings, index, last_start)
    start = max(range(last_start + 1), key=lambda one: (inversions[one], overtakings[one]))
    return by_arrival[start : start + MOST_IN_CLOSE_UP]


def _count_inside(passings: Sequence[Passing], index: dict[str, int], last_start: int) -> list[int]:
    """Count for each start of a close-up the passings that lie inside it with both requests."""
    changes = [0] * (last_start + 2)
    for one in passings:
        ends = [index.get(passage.sent.request_id) for passage in (one.ahead, one.behind)]
        places = sorted(place for place in ends if place is not None)
        if len(places) == 2 and places[1] - places[0] < MOST_IN_CLOSE_UP:
            changes[min(max(0, places[1] - MOST_IN_CLOSE_UP + 1), last_start)] += 1
            changes[min(places[0], last_start) + 1] -= 1
    return list(accumulate(changes[:-1]))


def _sending(passage: Passage) -> float:
    return passage.sent.sent_at
