"""Judges whether high-priority requests overtook low ones, from what was sent and what arrived. Pure.

The promise under test: a worker slot that becomes free takes the high requests that wait before any low one. What can
be seen of it from outside is when each request was sent and when it reached the target. In between lie two delays that
are nobody's fault: E, from the client's sending to the request being on its queue, and D, from a worker's taking it to
its arrival at the target. So not every low request that arrives before an older high one was taken before it.

A low request L proves the promise broken by a high request H, with a tolerance T of at least E + D, if

    H was sent at least T before L arrived            then H was on its queue before L was taken;
    H waited for at least T after L arrived           then H was taken after L was.

Both together say that L was taken while H waited. That no low request did so is worth something only if high ones had
to overtake at all: H overtook L if L was sent at least T before H was, and waited for at least T after H arrived.

E and D are a few milliseconds on an idle machine; 0.2 s leaves room for a busy CI machine with fewer cores than
processes. What the tolerance hides is missed, never invented: make the target slow enough (latency / slots above T)
that one low request out of turn costs a high one more than that.

All times are unix seconds. Sender and target need the same clock, or clocks that agree to well within the tolerance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Any, Literal

Priority = Literal["high", "low"]
Outcome = Literal["answered", "failed", "abandoned"]
"""How a request ended for its sender; abandoned: the run was over and it did not wait any longer."""

DEFAULT_TOLERANCE_SECONDS = 0.2
# Fewer could be luck: with a single slot and short queues a few high requests come first in any order of service.
ENOUGH_OVERTAKINGS = 20
_SHOWN_INVERSIONS = 5


class Verdict(Enum):
    """What a run says of the promise; `exit_code` is what a program that was asked for it exits with."""

    PROVED = 0
    VIOLATED = 1
    # Not 2: that is what a command line that cannot be understood exits with.
    UNPROVED = 3

    @property
    def exit_code(self) -> int:
        """0: proved, 1: violated, 3: this run proves nothing."""
        return self.value


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as its sender saw it, from sending it to its outcome."""

    request_id: str
    priority: Priority
    sent_at: float
    ended_at: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Journey:
    """One request from its sender to the target; `arrived_at` is None if it never got there."""

    sent: Sent
    arrived_at: float | None

    @property
    def waited_until(self) -> float:
        """When it stopped waiting: it reached the target, or its sender had no more use for that."""
        if self.arrived_at is not None:
            return self.arrived_at
        # One that failed on its way may never have been on a queue: it is not known to have waited at all.
        return self.sent.sent_at if self.sent.outcome == "failed" else self.sent.ended_at

    @property
    def waited_seconds(self) -> float:
        """How long it waited."""
        return self.waited_until - self.sent.sent_at


@dataclass(frozen=True, slots=True)
class Passing:
    """One request reached the target, and another, which had been waiting, went on waiting."""

    ahead: Journey
    behind: Journey

    def __str__(self) -> str:
        now = self.ahead.waited_until
        return (
            f"{self.ahead.sent.request_id} arrived while {self.behind.sent.request_id} "
            f"had waited {now - self.behind.sent.sent_at:.3f} s, "
            f"and went on waiting {self.behind.waited_until - now:.3f} s"
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the reason in words, and what it rests on."""

    verdict: Verdict
    reason: str
    tolerance_seconds: float
    journeys: tuple[Journey, ...]
    overtakings: tuple[Passing, ...]
    """High requests that went ahead of a low one sent before them: the promise at work. One for each such high one."""
    inversions: tuple[Passing, ...]
    """Low requests that went ahead of a high one that waited: the promise broken. One for each such low one."""


def judge(
    sent: Iterable[Sent],
    arrived_at: Mapping[str, float],
    *,
    dropped: int = 0,
    tolerance_seconds: float = DEFAULT_TOLERANCE_SECONDS,
) -> Judgement:
    """Judge one run.

    `arrived_at` says of each request id when it first reached the target; ids that were not sent here do not count.
    `dropped` is how many arrivals the target's log has lost.
    """
    journeys = tuple(Journey(one, arrived_at.get(one.request_id)) for one in sent)
    high = [journey for journey in journeys if journey.sent.priority == "high"]
    low = [journey for journey in journeys if journey.sent.priority == "low"]
    overtakings = find_overtakings(high, low, tolerance_seconds)
    inversions = find_inversions(low, high, tolerance_seconds)
    verdict, reason = _verdict(journeys, overtakings, inversions, dropped)
    return Judgement(verdict, reason, tolerance_seconds, journeys, tuple(overtakings), tuple(inversions))


def find_overtakings(high: Iterable[Journey], low: Iterable[Journey], tolerance_seconds: float) -> list[Passing]:
    """Give the high requests that overtook: sent after a low one that was still waiting when they arrived."""
    moments = [(one.sent.sent_at, one.arrived_at, one) for one in high if one.arrived_at is not None]
    return _find_passings(moments, low, tolerance_seconds)


def find_inversions(low: Iterable[Journey], high: Iterable[Journey], tolerance_seconds: float) -> list[Passing]:
    """Give the low requests that arrived while a high one waited, whichever of the two was sent first."""
    moments = [(one.arrived_at, one.arrived_at, one) for one in low if one.arrived_at is not None]
    return _find_passings(moments, high, tolerance_seconds)


def _find_passings(
    moments: list[tuple[float, float, Journey]], waiting: Iterable[Journey], tolerance_seconds: float
) -> list[Passing]:
    """Find who of `waiting` was sent by one moment and still waited at another, with the tolerance on both sides.

    Of several, the one that waited longest is named. Takes n log n steps.
    """
    by_sending = sorted(waiting, key=lambda one: one.sent.sent_at)
    found = []
    longest: Journey | None = None
    seen = 0
    for sent_by, waits_at, one in sorted(moments, key=lambda moment: moment[:2]):
        while seen < len(by_sending) and by_sending[seen].sent.sent_at + tolerance_seconds <= sent_by:
            if longest is None or by_sending[seen].waited_until > longest.waited_until:
                longest = by_sending[seen]
            seen += 1
        if longest is not None and waits_at + tolerance_seconds <= longest.waited_until:
            found.append(Passing(one, longest))
    return found


def first_arrivals(log: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Give when each request id first reached the target, from the `arrivals` of the mock target's log.

    A request that is sent again after a lost worker arrives twice; its place in the order is that of the first time.
    """
    first: dict[str, float] = {}
    for arrival in log:
        if arrival["request_id"] is not None:
            first.setdefault(arrival["request_id"], arrival["arrived_at"])
    return first


def describe(judgement: Judgement) -> str:
    """Give a short table of the run, the verdict, and the first few inversions."""
    lines = [f"{'priority':<10}{'sent':>8}{'arrived':>9}{'failed':>8}{'median wait':>14}{'longest wait':>14}"]
    for priority in ("high", "low"):
        journeys = [journey for journey in judgement.journeys if journey.sent.priority == priority]
        waits = [journey.waited_seconds for journey in journeys] or [0.0]
        arrived = sum(journey.arrived_at is not None for journey in journeys)
        failed = sum(journey.sent.outcome == "failed" for journey in journeys)
        lines.append(
            f"{priority:<10}{len(journeys):>8}{arrived:>9}{failed:>8}{median(waits):>12.3f} s{max(waits):>12.3f} s"
        )
    lines += [
        f"high overtook low: {len(judgement.overtakings)}   "
        f"low went ahead of a waiting high: {len(judgement.inversions)}   "
        f"(tolerance {judgement.tolerance_seconds:g} s)",
        f"{judgement.verdict.name}: {judgement.reason}",
        *(f"  {inversion}" for inversion in judgement.inversions[:_SHOWN_INVERSIONS]),
    ]
    return "\n".join(lines)


def _verdict(
    journeys: Sequence[Journey], overtakings: Sequence[Passing], inversions: Sequence[Passing], dropped: int
) -> tuple[Verdict, str]:
    # First what makes the observations worthless: they could show an inversion that never was.
    if dropped:
        return Verdict.UNPROVED, f"the target's log has lost {dropped} arrivals; start it with a larger --log-size"
    if any(map(_contradicts_clock, journeys)):
        return Verdict.UNPROVED, "a request arrived before it was sent or after its answer: the clocks do not agree"
    if inversions:
        return Verdict.VIOLATED, f"{len(inversions)} low requests reached the target while a high one was waiting"
    failed = sum(journey.sent.outcome == "failed" for journey in journeys if journey.sent.priority == "high")
    if failed:
        return Verdict.UNPROVED, f"{failed} high requests failed, and so had no place in the order"
    if len(overtakings) < ENOUGH_OVERTAKINGS:
        return Verdict.UNPROVED, (
            f"{len(overtakings)} high requests overtook a low one, and {ENOUGH_OVERTAKINGS} are wanted: "
            "send more low requests than the workers can carry, or let it last longer"
        )
    return Verdict.PROVED, "high requests overtook low ones, and no low request went ahead of a waiting high one"


def _contradicts_clock(journey: Journey) -> bool:
    if journey.arrived_at is None:
        return False
    # One that failed or was abandoned may well arrive after its end.
    answered = journey.sent.outcome == "answered"
    return journey.arrived_at < journey.sent.sent_at or (answered and journey.arrived_at > journey.sent.ended_at)
