"""Waits and outcomes of the requests of one scenario. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from loadtests.records import Priority, RequestTrace

PRIORITIES: tuple[Priority, Priority] = ("high", "low")


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts and outcomes of the requests of one priority, and how long they waited for the target.

    Waits are in seconds, transit included, and None if no request is known to have waited.
    """

    priority: Priority
    sent: int
    arrived: int
    """Those that reached the target at least once."""
    answered: int
    failed: int
    left: int
    median_seconds: float | None
    p95_seconds: float | None
    max_seconds: float | None


def summarise(traces: Iterable[RequestTrace], priority: Priority) -> Summary:
    """Return counts and wait quantiles of the requests of one priority."""
    own = [trace for trace in traces if trace.sent.priority == priority]
    waits = sorted(list_waits(own))
    return Summary(
        priority=priority,
        sent=len(own),
        arrived=sum(trace.arrived_at is not None for trace in own),
        answered=sum(trace.sent.outcome == "answered" for trace in own),
        failed=sum(trace.sent.outcome == "failed" for trace in own),
        left=sum(trace.sent.outcome == "left" for trace in own),
        median_seconds=pick_quantile(waits, 0.5),
        p95_seconds=pick_quantile(waits, 0.95),
        max_seconds=pick_quantile(waits, 1.0),
    )


def list_waits(traces: Iterable[RequestTrace]) -> list[float]:
    """Return the wait in seconds of each request that reached the target or whose client left.

    One that failed before it reached the target is not known to have waited, and is excluded.
    """
    return [trace.waited_seconds for trace in traces if trace.arrived_at is not None or trace.sent.outcome == "left"]


def wait_without_priorities(traces: Iterable[RequestTrace]) -> list[float]:
    """Return the waits in seconds if the requests had reached the target in the order of sending.

    The arrival times stay the same and are reassigned: the first to the request that was sent first, and so on. The sum
    of all waits is unchanged: priorities only distribute them differently.
    """
    arrived = [(one.sent.sent_at, one.arrived_at) for one in traces if one.arrived_at is not None]
    sent_at, arrived_at = (sorted(times) for times in zip(*arrived, strict=True)) if arrived else ([], [])
    return [arrival - sending for sending, arrival in zip(sent_at, arrived_at, strict=True)]


def pick_quantile(ascending: Sequence[float], share: float) -> float | None:
    """Return the smallest value that this share (above 0, to 1) of them does not exceed; None without values."""
    return ascending[ceil(share * len(ascending)) - 1] if ascending else None
