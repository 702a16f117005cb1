"""Whether high really came first. Pure: records of requests in, a verdict out.

`loadtests.ordering` judges the order. Here it is told more than a client knows: when a request was on the queue for
certain. A gateway takes what is sent to it in turn: when it has answered a look at its queues, what was sent before
that look is queued as well.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from fast_priority.priority import Priority
from loadtests.oracle import Passing, judge_order
from loadtests.records import Arrival, Sent
from loadtests.records import Passage as JudgedPassage

FORWARDED_WITHIN_SECONDS = 0.05
"""How long the way from a worker to the target may take; within it nothing is judged.

A low request that was rightly claimed just before a high one was queued starts so much after that; and a high request
may have been claimed so much before it starts, so that the low one claimed next is the faster of the two.
"""
FEWEST_JUDGED = 5
"""With fewer requests of either priority started, a run proves nothing."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One request: when it was sent, and when it was started at the target (None: never), in unix seconds."""

    request_id: str
    priority: Priority
    sent_at: float
    started_at: float | None

    @property
    def wait_seconds(self) -> float | None:
        """How long it waited for the target."""
        return None if self.started_at is None else self.started_at - self.sent_at


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the gateway's queues: when it was asked for and when it was answered, in unix seconds."""

    begun_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a run; `troubles` say, in sentences, what speaks against knowing it."""

    passages: Sequence[Passage]
    looks: Sequence[Look]
    """Oldest first."""
    slots: int
    most_in_flight: int
    """The most requests that the target had at once."""
    troubles: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the started requests of one priority waited."""

    started: int
    median_seconds: float
    longest_seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run has shown; `doubts` says, in sentences, why it has proven nothing, if it has not."""

    high: Waits
    low: Waits
    surely_waiting: int
    """High requests that waited long enough for an inversion to be seen."""
    overtaken: float
    """How many low requests, sent before it, a high one was started before: the median."""
    inversions: tuple[Passing, ...]
    doubts: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether high came first, every time it could be told, and it could be told often enough."""
        return not self.inversions and not self.doubts


def judge(evidence: Evidence) -> Verdict:
    """Give the verdict on a run."""
    high, low = (_waits(evidence.passages, priority) for priority in (Priority.HIGH, Priority.LOW))
    order = judge_order(_as_judged(evidence), FORWARDED_WITHIN_SECONDS)
    overtaken = median(overtakes(evidence.passages) or [0])
    slots, most = evidence.slots, evidence.most_in_flight
    doubts = list(evidence.troubles)
    for waits, priority in ((high, Priority.HIGH), (low, Priority.LOW)):
        if waits.started < FEWEST_JUDGED:
            doubts.append(f"only {waits.started} {priority} requests were started; it takes {FEWEST_JUDGED} to judge")
    if most < slots:
        doubts.append(f"the target was never busy: at most {most} of {slots} slots were taken")
    if most > slots:
        doubts.append(f"the target had {most} requests at once, though there are {slots} slots")
    if not order.tested:
        doubts.append("no high request waited long enough to be overtaken")
    if not overtaken:
        doubts.append("most high requests overtook no low one")
    return Verdict(high, low, order.tested, overtaken, order.inversions, tuple(doubts))


def overtakes(passages: Sequence[Passage]) -> list[int]:
    """Tell for each high request that was started how many low ones, sent before it, were not started before it."""
    lows = _by_start(passages)
    starts = [start for start, _ in lows]
    sent = sorted(passage.sent_at for passage in passages if passage.priority is Priority.LOW)
    counts = []
    for high in passages:
        if high.priority is Priority.HIGH and high.started_at is not None:
            sent_before = bisect_left(sent, high.sent_at)
            end = bisect_right(starts, high.started_at)
            # Of those started by then, the ones sent after the high one: all started since it was sent itself.
            since = lows[bisect_left(starts, high.sent_at) : end]
            sent_after = sum(low.sent_at >= high.sent_at for _, low in since)
            counts.append(sent_before - (end - sent_after))
    return counts


def _as_judged(evidence: Evidence) -> list[JudgedPassage]:
    """Give the requests as the oracle knows them.

    Who has not started waits beyond all that is judged; a high one that no look follows is not known to wait at all.
    """
    begins = [look.begun_at for look in evidence.looks]
    ends = [look.ended_at for look in evidence.looks]
    last = max(ends + [one.started_at or one.sent_at for one in evidence.passages], default=0.0)
    judged = []
    for one in evidence.passages:
        look = bisect_right(begins, one.sent_at)
        accepted_at = ends[look] if look < len(begins) else float("inf")
        arrivals = () if one.started_at is None else (Arrival(one.request_id, one.started_at),)
        sent = Sent(
            one.request_id,
            one.priority.value,
            one.sent_at,
            last + 2 * FORWARDED_WITHIN_SECONDS,
            "left",
            accepted_at=accepted_at,
        )
        judged.append(JudgedPassage(sent, arrivals))
    return judged


def _by_start(passages: Iterable[Passage]) -> list[tuple[float, Passage]]:
    lows = [
        (passage.started_at, passage)
        for passage in passages
        if passage.priority is Priority.LOW and passage.started_at is not None
    ]
    return sorted(lows, key=lambda pair: pair[0])


def _waits(passages: Iterable[Passage], priority: Priority) -> Waits:
    waits = [
        passage.wait_seconds
        for passage in passages
        if passage.priority is priority and passage.wait_seconds is not None
    ]
    return Waits(len(waits), median(waits or [0.0]), max(waits, default=0.0))
