"""Where the time of one request goes: what its client, its target and Redis saw, put together. Pure."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

QUEUED_STAGES = (
    "gateway: reads, submits",
    "Redis: queued, claimed",
    "worker: takes, sends",
    "target",
    "worker: reads, says",
    "gateway: hears, answers",
)
PASSED_STAGES = ("gateway: reads, sends", "target", "gateway: reads, answers")
_LINE = re.compile(r'^\+?(\d+\.\d+) \[\d+ lua\] "(\w+)" (.*)$')
_MARKS = (("submitted", "push", '"rq:queue:'), ("claimed", "hset", '"started"'), ("said", "push", ":inbox:"))


@dataclass(frozen=True, slots=True)
class Trip:
    """One request as its client and its target saw it; unix seconds."""

    sent: float
    arrived: float
    answered: float
    received: float


def passed_stages(trip: Trip) -> tuple[float, ...]:
    """Give how long each of PASSED_STAGES took, in microseconds."""
    return _between((trip.sent, trip.arrived, trip.answered, trip.received))


def queued_stages(trip: Trip, moments: Sequence[tuple[float, str]]) -> tuple[float, ...] | None:
    """Give how long each of QUEUED_STAGES took, in microseconds; None if Redis's moments of it are not all known."""
    found: dict[str, float] = {}
    first = bisect_right(moments, (trip.sent, ""))
    for at, what in moments[first:]:
        if at > trip.received:
            break
        found.setdefault(what, at)
    if len(found) < len(_MARKS):
        return None
    times = (trip.sent, found["submitted"], found["claimed"], trip.arrived, trip.answered, found["said"], trip.received)
    return _between(times)


def read_moments(monitored: str) -> list[tuple[float, str]]:
    """Find in what MONITOR wrote when scripts queued a request, started it, and said what came of it; oldest first."""
    moments = []
    for line in monitored.splitlines():
        if match := _LINE.match(line):
            at, command, rest = match.groups()
            for what, kind, mark in _MARKS:
                if kind in command.lower() and mark in rest:
                    moments.append((float(at), what))
    return sorted(moments)


def median_stages(stages: Sequence[tuple[float, ...]]) -> list[float]:
    """Give the median of each stage; none of them of no requests."""
    return [median(values) for values in zip(*stages, strict=True)]


def _between(times: Sequence[float]) -> tuple[float, ...]:
    return tuple((after - before) * 1e6 for before, after in pairwise(times))
