"""When anything happened in a run, how many requests waited then, and how many were at the target. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from loadtests.records import Passage, Priority

PARTS = 300
"""Into so many equal parts a run is divided: what does not show at that size would only be a smear."""
_SHORTEST_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a scenario in which anything happened: unix seconds of its begin, and how long it was, above 0."""

    begun_at: float
    seconds: float


def find_span(passages: Iterable[Passage]) -> Span:
    """Give the time from the first sending to the last arrival or end, without what was made ready before and after."""
    known = list(passages)
    begun_at = min((one.sent.sent_at for one in known), default=0.0)
    ended_at = max((max(one.sent.ended_at, one.waited_until) for one in known), default=0.0)
    return Span(begun_at, max(ended_at - begun_at, _SHORTEST_SECONDS))


@dataclass(frozen=True, slots=True)
class Steps:
    """A number that changes at moments (seconds of the run), and holds from each one to the next."""

    at_seconds: tuple[float, ...]
    counts: tuple[int, ...]


def count_waiting(passages: Iterable[Passage], priority: Priority, begun_at: float) -> Steps:
    """Count the requests of one priority that were sent and had not reached the target yet."""
    own = (one for one in passages if one.sent.priority == priority)
    return _count((one.sent.sent_at - begun_at, one.waited_until - begun_at) for one in own)


def count_in_flight(passages: Iterable[Passage], begun_at: float) -> Steps:
    """Count the requests at the target; one that was not answered ends for its sender at the latest."""
    spans = []
    for one in passages:
        for arrival in one.arrivals:
            ends = [] if arrival.finished_at is None else [arrival.finished_at]
            # The target learns later than the gateway that a client has left; the gateway has used the slot again.
            if not ends or one.sent.outcome != "answered":
                ends.append(one.sent.ended_at)
            spans.append((arrival.arrived_at - begun_at, max(arrival.arrived_at, min(ends)) - begun_at))
    return _count(spans)


def _count(spans: Iterable[tuple[float, float]]) -> Steps:
    changes: dict[float, int] = {0.0: 0}
    for begin, end in spans:
        changes[begin] = changes.get(begin, 0) + 1
        changes[end] = changes.get(end, 0) - 1
    at_seconds, counts, current = [], [], 0
    for at in sorted(changes):
        current += changes[at]
        at_seconds.append(at)
        counts.append(current)
    return Steps(tuple(at_seconds), tuple(counts))


@dataclass(frozen=True, slots=True)
class Sample:
    """What a number that changes came to within one part of the run: its mean over the time, and the most."""

    at_seconds: float
    mean: float
    most: int


def sample(steps: Steps, until_seconds: float, parts: int = PARTS) -> list[Sample]:
    """Divide the run into equal parts, and give what the number came to in each of them."""
    samples = []
    index, current = 0, 0
    for part in range(parts):
        begin, end = until_seconds * part / parts, until_seconds * (part + 1) / parts
        while index < len(steps.at_seconds) and steps.at_seconds[index] <= begin:
            current = steps.counts[index]
            index += 1
        area, since, most = 0.0, begin, current
        while index < len(steps.at_seconds) and steps.at_seconds[index] < end:
            area += current * (steps.at_seconds[index] - since)
            since, current = steps.at_seconds[index], steps.counts[index]
            most = max(most, current)
            index += 1
        area += current * (end - since)
        samples.append(Sample(begin, area / (end - begin), most))
    return samples
