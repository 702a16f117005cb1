"""Counts over the time of a run: requests that wait, and requests at the target. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from loadtests.records import Priority, RequestTrace

PARTS = 300
"""A run is divided into this many equal parts: a finer division would not be visible in the picture."""
_SHORTEST_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Span:
    """The time span of a scenario: its start in unix seconds, and its length, above 0."""

    begun_at: float
    seconds: float


def find_span(traces: Iterable[RequestTrace]) -> Span:
    """Return the span from the first sending to the last arrival or end."""
    known = list(traces)
    begun_at = min((one.sent.sent_at for one in known), default=0.0)
    ended_at = max((max(one.sent.ended_at, one.waited_until) for one in known), default=0.0)
    return Span(begun_at, max(ended_at - begun_at, _SHORTEST_SECONDS))


@dataclass(frozen=True, slots=True)
class StepFunction:
    """A count that changes at given times (seconds of the run), and is constant in between."""

    at_seconds: tuple[float, ...]
    counts: tuple[int, ...]


def count_waiting(traces: Iterable[RequestTrace], priority: Priority, begun_at: float) -> StepFunction:
    """Return the count of requests of one priority that were sent and had not reached the target yet."""
    own = (one for one in traces if one.sent.priority == priority)
    return _count((one.sent.sent_at - begun_at, one.waited_until - begun_at) for one in own)


def count_in_flight(traces: Iterable[RequestTrace], begun_at: float) -> StepFunction:
    """Return the count of requests at the target; one without a response ends when it ended for its sender."""
    spans = []
    for one in traces:
        for arrival in one.arrivals:
            ends = [] if arrival.finished_at is None else [arrival.finished_at]
            # The target notices later than the gateway that a client has left; the gateway may have reused the slot.
            if not ends or one.sent.outcome != "answered":
                ends.append(one.sent.ended_at)
            spans.append((arrival.arrived_at - begun_at, max(arrival.arrived_at, min(ends)) - begun_at))
    return _count(spans)


def _count(spans: Iterable[tuple[float, float]]) -> StepFunction:
    changes: dict[float, int] = {0.0: 0}
    for begin, end in spans:
        changes[begin] = changes.get(begin, 0) + 1
        changes[end] = changes.get(end, 0) - 1
    at_seconds, counts, current = [], [], 0
    for at in sorted(changes):
        current += changes[at]
        at_seconds.append(at)
        counts.append(current)
    return StepFunction(tuple(at_seconds), tuple(counts))


@dataclass(frozen=True, slots=True)
class Sample:
    """A count within one part of the run: its mean over the time, and its maximum."""

    at_seconds: float
    mean: float
    most: int


def sample(steps: StepFunction, until_seconds: float, parts: int = PARTS) -> list[Sample]:
    """Return mean and maximum of a count for each of `parts` equal parts of the run."""
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
