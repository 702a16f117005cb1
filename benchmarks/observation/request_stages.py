"""The stages of one request, from the times of its client, its target and Redis. Pure."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from benchmarks.endpoints import RequestTimes

QUEUE_STAGES = ("gateway: reads, asks", "gateway: starts, sends", "target", "gateway: reads, answers")
"""With slots in the gateway. The moment between the first two is the one in which Redis takes a slot for it."""
WORKER_STAGES = (
    "gateway: reads, submits",
    "Redis: queued, claimed",
    "worker: takes, sends",
    "target",
    "worker: reads, publishes",
    "gateway: receives, answers",
)
PASS_THROUGH_STAGES = ("gateway: reads, sends", "target", "gateway: reads, answers")
"""These names stand in docs/evidence/performance.json."""
_LINE = re.compile(r'^\+?(\d+\.\d+) \[\d+ lua\] "(\w+)" (.*)$')
_EVENTS = (
    ("leased", "zadd", '"rq:wip:'),
    ("submitted", "push", '"rq:queue:'),
    ("claimed", "hset", '"started"'),
    ("published", "push", ":inbox:"),
)


def pass_through_stages(times: RequestTimes) -> tuple[float, ...]:
    """Return the duration of each of PASS_THROUGH_STAGES, in microseconds."""
    return _between((times.sent, times.arrived, times.answered, times.received))


def queue_stages(times: RequestTimes, events: Sequence[tuple[float, str]]) -> tuple[float, ...] | None:
    """Return the duration of each of QUEUE_STAGES, in microseconds; None if the event in Redis is missing."""
    found = _found(times, events)
    if "leased" not in found:
        return None
    return _between((times.sent, found["leased"], times.arrived, times.answered, times.received))


def worker_stages(times: RequestTimes, events: Sequence[tuple[float, str]]) -> tuple[float, ...] | None:
    """Return the duration of each of WORKER_STAGES, in microseconds; None if an event in Redis is missing."""
    found = _found(times, events)
    if not {"submitted", "claimed", "published"} <= found.keys():
        return None
    in_gateway_and_redis = (times.sent, found["submitted"], found["claimed"])
    return _between((*in_gateway_and_redis, times.arrived, times.answered, found["published"], times.received))


def _found(times: RequestTimes, events: Sequence[tuple[float, str]]) -> dict[str, float]:
    """Return when each event first happened between the request and its response."""
    found: dict[str, float] = {}
    first = bisect_right(events, (times.sent, ""))
    for at, event in events[first:]:
        if at > times.received:
            break
        found.setdefault(event, at)
    return found


def read_redis_events(monitored: str) -> list[tuple[float, str]]:
    """Parse the output of MONITOR, and return what scripts did with requests, and when; oldest first."""
    events = []
    for line in monitored.splitlines():
        if match := _LINE.match(line):
            at, command, rest = match.groups()
            for event, kind, mark in _EVENTS:
                if kind in command.lower() and mark in rest:
                    events.append((float(at), event))
    return sorted(events)


def median_stages(stages: Sequence[tuple[float, ...]]) -> list[float]:
    """Return the median of each stage; an empty list without requests."""
    return [median(values) for values in zip(*stages, strict=True)]


def _between(times: Sequence[float]) -> tuple[float, ...]:
    return tuple((after - before) * 1e6 for before, after in pairwise(times))
