"""The oracle: whether high-priority requests overtook low ones, from what was sent and what arrived. Pure.

The promise under test: a slot that becomes free takes the high requests that wait before any low one. What can be seen
of it from outside is when each request was sent and when it reached the target. In between lie two delays that are
nobody's fault: E, from the client's sending to the request being on its queue, and D, from its leaving the queue to its
arrival at the target. So not every low request that arrives before an older high one was taken before it.

A low request L proves the promise broken by a high request H, with a tolerance T of at least E + D, if

    H was sent at least T before L arrived            then H was on its queue before L was taken;
    H waited for at least T after L arrived           then H was taken after L was.

Both together say that L was taken while H waited. Where it is known when H was on its queue, T counts from then and has
to cover D alone. That no low request did so is worth something only if high ones had to overtake at all: H overtook L
if L was sent at least T before H was, waited for at least T after H arrived, and did get there in the end: one that was
lost on its way waited on no queue, and everybody would seem to overtake it. And it is worth something only if high ones
waited long enough for an inversion to be seen, which is twice T: where all wait for less, T hides any order.

E and D are a few milliseconds on an idle machine; the default of 0.1 s leaves room for a busy one with fewer cores than
processes. The tolerance is never widened by what is seen. What it hides is missed, never invented; so each judgement
also says how far down it could have been set before anything counted, which is what the run really shows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtests.oracle.verdict import Finding, Verdict
from loadtests.records import Passage

DEFAULT_TOLERANCE_SECONDS = 0.1
# Fewer could be luck: with a single slot and short queues a few high requests come first in any order of service.
ENOUGH_OVERTAKINGS = 20
# Fewer could be luck as well; with none of them any order would look right.
ENOUGH_TESTED = 10
_TOLERANCE_PRECISION_SECONDS = 0.0001


@dataclass(frozen=True, slots=True)
class Passing:
    """One request reached the target, and another, which had been waiting, went on waiting."""

    ahead: Passage
    behind: Passage

    def __str__(self) -> str:
        now = self.ahead.waited_until
        return (
            f"{self.ahead.sent.request_id} arrived while {self.behind.sent.request_id} "
            f"had waited {now - self.behind.sent.sent_at:.3f} s, "
            f"and went on waiting {self.behind.waited_until - now:.3f} s"
        )


@dataclass(frozen=True, slots=True)
class Order:
    """In which order requests got through, and what that says of the promise."""

    tolerance_seconds: float
    inversions: tuple[Passing, ...]
    """Low requests that went ahead of a high one that waited: the promise broken. One for each such low one."""
    overtakings: tuple[Passing, ...]
    """High requests that went ahead of a low one sent before them: the promise at work. One for each such high one."""
    tested: int
    """High requests that waited for so long that an inversion would have been seen."""
    tightest_tolerance_seconds: float
    """The smallest tolerance with which nothing counts as an inversion, to 0.1 ms."""
    finding: Finding


def judge_order(passages: Sequence[Passage], tolerance_seconds: float = DEFAULT_TOLERANCE_SECONDS) -> Order:
    """Judge the order of one run. Raises ValueError for a tolerance that is not above 0."""
    if not tolerance_seconds > 0:
        raise ValueError(f"the tolerance is {tolerance_seconds} s; it must be above 0")
    high = [passage for passage in passages if passage.sent.priority == "high"]
    low = [passage for passage in passages if passage.sent.priority == "low"]
    inversions = find_inversions(low, high, tolerance_seconds)
    overtakings = find_overtakings(high, low, tolerance_seconds)
    tested = sum(one.waited_until - _known_from(one) >= 2 * tolerance_seconds for one in high)
    return Order(
        tolerance_seconds=tolerance_seconds,
        inversions=tuple(inversions),
        overtakings=tuple(overtakings),
        tested=tested,
        tightest_tolerance_seconds=_tightest_tolerance_seconds(low, high),
        finding=_find(high, inversions, overtakings, tested),
    )


def find_overtakings(high: Iterable[Passage], low: Iterable[Passage], tolerance_seconds: float) -> list[Passing]:
    """Give the high requests that overtook: sent after a low one that was still waiting when they arrived."""
    moments = [(one.sent.sent_at, one.arrived_at, one) for one in high if one.arrived_at is not None]
    waiting = [(one.sent.sent_at, one) for one in low if one.arrived_at is not None]
    return _find_passings(moments, waiting, tolerance_seconds)


def find_inversions(low: Iterable[Passage], high: Iterable[Passage], tolerance_seconds: float) -> list[Passing]:
    """Give the low requests that arrived while a high one waited, whichever of the two was sent first."""
    moments = [(one.arrived_at, one.arrived_at, one) for one in low if one.arrived_at is not None]
    waiting = [(_known_from(one), one) for one in high]
    return _find_passings(moments, waiting, tolerance_seconds)


def _known_from(passage: Passage) -> float:
    """Give the moment from which the tolerance counts."""
    return passage.sent.sent_at if passage.sent.accepted_at is None else passage.sent.accepted_at


def _find_passings(
    moments: Iterable[tuple[float, float, Passage]],
    waiting: Iterable[tuple[float, Passage]],
    tolerance_seconds: float,
) -> list[Passing]:
    """Find who of `waiting` was there by one moment and still waited at another, with the tolerance on both sides.

    Of several, the one that waited longest is named. Takes n log n steps.
    """
    by_start = sorted(waiting, key=lambda pair: pair[0])
    found = []
    longest: Passage | None = None
    seen = 0
    for there_by, waits_at, one in sorted(moments, key=lambda moment: moment[:2]):
        while seen < len(by_start) and by_start[seen][0] + tolerance_seconds <= there_by:
            candidate = by_start[seen][1]
            if longest is None or candidate.waited_until > longest.waited_until:
                longest = candidate
            seen += 1
        if longest is not None and waits_at + tolerance_seconds <= longest.waited_until:
            found.append(Passing(one, longest))
    return found


def _tightest_tolerance_seconds(low: Sequence[Passage], high: Sequence[Passage]) -> float:
    # The larger the tolerance the fewer inversions, and none new: halving finds the edge.
    clean = max((one.waited_until - _known_from(one) for one in high), default=0.0)
    inversions = find_inversions(low, high, 0.0)
    if not inversions:
        return 0.0
    broken = 0.0
    while clean - broken > _TOLERANCE_PRECISION_SECONDS:
        middle = (clean + broken) / 2
        left = find_inversions((one.ahead for one in inversions), high, middle)
        if left:
            broken, inversions = middle, left
        else:
            clean = middle
    return clean


def _find(
    high: Sequence[Passage], inversions: Sequence[Passing], overtakings: Sequence[Passing], tested: int
) -> Finding:
    verdict = Verdict.PROVED
    reason = (
        f"{len(overtakings)} high requests overtook low ones; "
        f"no low one went ahead of the {tested} that waited long enough to tell"
    )
    without_place = sum(one.arrived_at is None and one.sent.outcome != "left" for one in high)
    if inversions:
        verdict = Verdict.VIOLATED
        reason = f"{len(inversions)} low requests reached the target while a high one was waiting"
    elif without_place:
        verdict = Verdict.UNPROVED
        reason = f"{without_place} high requests never reached the target, and so had no place in the order"
    elif len(overtakings) < ENOUGH_OVERTAKINGS:
        verdict = Verdict.UNPROVED
        reason = (
            f"{len(overtakings)} high requests overtook a low one, and {ENOUGH_OVERTAKINGS} are wanted: "
            "send more low requests than the slots can carry, or let it last longer"
        )
    elif tested < ENOUGH_TESTED:
        verdict = Verdict.UNPROVED
        reason = (
            f"only {tested} high requests waited long enough to tell ({ENOUGH_TESTED} wanted): "
            "let the service last longer, or give a smaller --tolerance-seconds"
        )
    return Finding("order", verdict, reason, tuple(map(str, inversions)))
