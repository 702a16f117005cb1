"""How long the requests of one scenario waited, and what became of them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from loadtests.records import Passage, Priority

PRIORITIES: tuple[Priority, Priority] = ("high", "low")


@dataclass(frozen=True, slots=True)
class Summary:
    """How many requests of one priority were sent, what became of them, and how long they waited for the target.

    Waits are in seconds, transit included, and None where no request is known to have waited.
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


def summarise(passages: Iterable[Passage], priority: Priority) -> Summary:
    """Count the requests of one priority, and give the quantiles of their waits."""
    own = [passage for passage in passages if passage.sent.priority == priority]
    waits = sorted(list_waits(own))
    return Summary(
        priority=priority,
        sent=len(own),
        arrived=sum(passage.arrived_at is not None for passage in own),
        answered=sum(passage.sent.outcome == "answered" for passage in own),
        failed=sum(passage.sent.outcome == "failed" for passage in own),
        left=sum(passage.sent.outcome == "left" for passage in own),
        median_seconds=pick_quantile(waits, 0.5),
        p95_seconds=pick_quantile(waits, 0.95),
        max_seconds=pick_quantile(waits, 1.0),
    )


def list_waits(passages: Iterable[Passage]) -> list[float]:
    """Give how long each request waited, in seconds, for those that reached the target or whose sender gave up.

    One that failed without a place in the order is not known to have waited at all, and is left out.
    """
    return [
        passage.waited_seconds
        for passage in passages
        if passage.arrived_at is not None or passage.sent.outcome == "left"
    ]


def wait_without_priorities(passages: Iterable[Passage]) -> list[float]:
    """Give how long the requests would have waited, in seconds, had the target had them in the order of sending.

    The moments in which a request reached the target stay as they were, and are handed out anew: the first to the one
    that was sent first, and so on. All waits together are as long as before: priorities only divide them differently.
    """
    arrived = [(one.sent.sent_at, one.arrived_at) for one in passages if one.arrived_at is not None]
    sent_at, arrived_at = (sorted(times) for times in zip(*arrived, strict=True)) if arrived else ([], [])
    return [arrival - sending for sending, arrival in zip(sent_at, arrived_at, strict=True)]


def pick_quantile(ascending: Sequence[float], share: float) -> float | None:
    """Give the smallest value that this share (above 0, to 1) of them does not exceed; None if there are none."""
    return ascending[ceil(share * len(ascending)) - 1] if ascending else None
