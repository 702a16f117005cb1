"""Places in line: which requests reached the target earlier or later than in the order of sending. Pure."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from loadtests.oracle import OrderResult, Overtaking
from loadtests.records import RequestTrace

MAX_IN_CLOSE_UP = 50
MAX_DRAWN_INVERSIONS = 200
"""How many inversions are drawn in the picture."""


def count_places(traces: Iterable[RequestTrace]) -> dict[str, int]:
    """Return by request id how many places each request gained between sending and the target, below 0: lost.

    Only requests that reached the target have a place. In a queue without priorities none gains or loses any.
    """
    by_arrival = sort_by_arrival(traces)
    sent_place = {one.sent.request_id: place for place, one in enumerate(sorted(by_arrival, key=_sending))}
    return {one.sent.request_id: sent_place[one.sent.request_id] - place for place, one in enumerate(by_arrival)}


def format_places(places: int) -> str:
    """Return a number of places with its sign."""
    return f"{places:+d}".replace("-", "\N{MINUS SIGN}") if places else "0"


def sort_by_arrival(traces: Iterable[RequestTrace]) -> list[RequestTrace]:
    """Return the requests that reached the target, in that order."""
    arrived = [(one.arrived_at, one) for one in traces if one.arrived_at is not None]
    return [one for _, one in sorted(arrived, key=lambda pair: pair[0])]


def choose_close_up(by_arrival: Sequence[RequestTrace], order: OrderResult) -> Sequence[RequestTrace]:
    """Return the requests to draw: at most MAX_IN_CLOSE_UP that reached the target one after another.

    They are those with the most inversions among them, else with the most overtakings, else the first.
    """
    last_start = max(0, len(by_arrival) - MAX_IN_CLOSE_UP)
    index = {one.sent.request_id: place for place, one in enumerate(by_arrival)}
    inversions = _count_inside(order.inversions, index, last_start)
    overtakings = _count_inside(order.overtakings, index, last_start)
    start = max(range(last_start + 1), key=lambda one: (inversions[one], overtakings[one]))
    return by_arrival[start : start + MAX_IN_CLOSE_UP]


def _count_inside(passings: Sequence[Overtaking], index: dict[str, int], last_start: int) -> list[int]:
    """Return for each start of a close-up the number of pairs with both requests inside it."""
    changes = [0] * (last_start + 2)
    for one in passings:
        ends = [index.get(trace.sent.request_id) for trace in (one.ahead, one.behind)]
        places = sorted(place for place in ends if place is not None)
        if len(places) == 2 and places[1] - places[0] < MAX_IN_CLOSE_UP:
            changes[min(max(0, places[1] - MAX_IN_CLOSE_UP + 1), last_start)] += 1
            changes[min(places[0], last_start) + 1] -= 1
    return list(accumulate(changes[:-1]))


def _sending(trace: RequestTrace) -> float:
    return trace.sent.sent_at
