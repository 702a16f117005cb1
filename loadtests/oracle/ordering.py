"""Whether high-priority requests overtook low ones, from what was sent and what arrived. Pure.

The promise under test: a slot that becomes free takes a waiting high request before any low one. From outside one can
observe when each request was sent and when it reached the target. In between are two unavoidable delays: E, from the
client's sending until the request is in the queue, and D, from the queue to the target. So a low request that arrives
before an older high one was not necessarily dequeued before it.

A low request L proves the promise broken by a high request H, with a tolerance T of at least E + D, if

    H was sent at least T before L arrived            then H was in the queue before L was dequeued;
    H waited for at least T after L arrived           then H was dequeued after L.

Both together mean that L was dequeued while H waited. If it is known when H was in the queue, T counts from then and
has to cover D alone. The absence of such an L proves something only if high requests had to overtake: H overtook L if L
was sent at least T before H, waited for at least T after H arrived, and arrived in the end. (A lost request waits in no
queue, so every request would seem to overtake it.) And it proves something only if high requests waited long enough for
an inversion to be visible, which is twice T: if all wait for less, T hides any order.

With more than two levels, each pair of them is judged so, the more important one of the two as high.

E and D are a few milliseconds on an idle machine; the default of 0.1 s is enough for a busy one with fewer cores than
processes. The tolerance never depends on the run. It can hide an inversion, but not create one; so each result also has
the smallest tolerance without an inversion, which is what the run really shows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from loadtests.oracle.verdict import Finding, Verdict, worst_verdict
from loadtests.records import LEVELS, Priority, RequestTrace

DEFAULT_TOLERANCE_SECONDS = 0.1
# Fewer could be chance: with a single slot and short queues a few high requests are first in any order of service.
ENOUGH_OVERTAKINGS = 20
# Fewer could be chance as well; with none, any order would look right.
ENOUGH_TESTED = 10
_TOLERANCE_PRECISION_SECONDS = 0.0001


@dataclass(frozen=True, slots=True)
class Overtaking:
    """One request reached the target ahead of another, which was waiting and continued to wait."""

    ahead: RequestTrace
    behind: RequestTrace

    def __str__(self) -> str:
        now = self.ahead.waited_until
        return (
            f"{self.ahead.sent.request_id} arrived while {self.behind.sent.request_id} "
            f"had waited {now - self.behind.sent.sent_at:.3f} s, "
            f"and continued to wait {self.behind.waited_until - now:.3f} s"
        )


@dataclass(frozen=True, slots=True)
class OrderResult:
    """The order of the requests at the target, and whether it keeps the promise."""

    tolerance_seconds: float
    inversions: tuple[Overtaking, ...]
    """Low requests ahead of a waiting high one: violations, one for each such low request of each pair of levels."""
    overtakings: tuple[Overtaking, ...]
    """High requests ahead of a low one that was sent before them, one for each such high request of each pair."""
    tested: int
    """High requests that waited so long that an inversion would have been visible; the fewest of all pairs."""
    tightest_tolerance_seconds: float
    """The smallest tolerance without an inversion, to 0.1 ms."""
    finding: Finding


def judge_order(
    traces: Sequence[RequestTrace],
    tolerance_seconds: float = DEFAULT_TOLERANCE_SECONDS,
    levels: Sequence[Priority] = LEVELS,
) -> OrderResult:
    """Return the order of one run with its finding, for each pair of the levels, of which the first goes first.

    Raises ValueError for a tolerance that is not above 0, for fewer than two levels, and for a request of another one.
    """
    if not tolerance_seconds > 0:
        raise ValueError(f"the tolerance is {tolerance_seconds} s; it must be above 0")
    if len(set(levels)) < 2 or len(set(levels)) < len(levels):
        raise ValueError(f"the levels are {', '.join(levels) or 'none'}; name two or more, each once")
    of_level: dict[Priority, list[RequestTrace]] = {level: [] for level in levels}
    for trace in traces:
        if trace.sent.priority not in of_level:
            name, level = trace.sent.request_id, trace.sent.priority
            raise ValueError(f"request {name} has the level {level}, which is not one of {', '.join(levels)}")
        of_level[trace.sent.priority].append(trace)
    pairs = [
        _judge_pair((upper, of_level[upper]), (lower, of_level[lower]), tolerance_seconds)
        for upper, lower in combinations(levels, 2)
    ]
    return OrderResult(
        tolerance_seconds=tolerance_seconds,
        inversions=tuple(one for pair in pairs for one in pair.inversions),
        overtakings=tuple(one for pair in pairs for one in pair.overtakings),
        tested=min(pair.tested for pair in pairs),
        tightest_tolerance_seconds=max(pair.tightest_tolerance_seconds for pair in pairs),
        finding=_worst_of([pair.finding for pair in pairs]),
    )


def _judge_pair(
    upper: tuple[Priority, Sequence[RequestTrace]],
    lower: tuple[Priority, Sequence[RequestTrace]],
    tolerance_seconds: float,
) -> OrderResult:
    high, low = upper[1], lower[1]
    inversions = find_inversions(low, high, tolerance_seconds)
    overtakings = find_overtakings(high, low, tolerance_seconds)
    tested = sum(one.waited_until - _known_from(one) >= 2 * tolerance_seconds for one in high)
    return OrderResult(
        tolerance_seconds=tolerance_seconds,
        inversions=tuple(inversions),
        overtakings=tuple(overtakings),
        tested=tested,
        tightest_tolerance_seconds=_tightest_tolerance_seconds(low, high),
        finding=_find((upper[0], lower[0]), high, inversions, overtakings, tested),
    )


def find_overtakings(
    high: Iterable[RequestTrace], low: Iterable[RequestTrace], tolerance_seconds: float
) -> list[Overtaking]:
    """Return the high requests that overtook: sent after a low one that was still waiting when they arrived."""
    moments = [(one.sent.sent_at, one.arrived_at, one) for one in high if one.arrived_at is not None]
    waiting = [(one.sent.sent_at, one) for one in low if one.arrived_at is not None]
    return _match_waiting(moments, waiting, tolerance_seconds)


def find_inversions(
    low: Iterable[RequestTrace], high: Iterable[RequestTrace], tolerance_seconds: float
) -> list[Overtaking]:
    """Return the low requests that arrived while a high one waited, whichever of the two was sent first."""
    moments = [(one.arrived_at, one.arrived_at, one) for one in low if one.arrived_at is not None]
    waiting = [(_known_from(one), one) for one in high]
    return _match_waiting(moments, waiting, tolerance_seconds)


def _known_from(trace: RequestTrace) -> float:
    """Return the time from which the tolerance counts."""
    return trace.sent.sent_at if trace.sent.accepted_at is None else trace.sent.accepted_at


def _match_waiting(
    moments: Iterable[tuple[float, float, RequestTrace]],
    waiting: Iterable[tuple[float, RequestTrace]],
    tolerance_seconds: float,
) -> list[Overtaking]:
    """Return for each of `moments` a request that waited before and after it, by the tolerance on both sides.

    Of several, it is the one that waited longest. Takes n log n steps.
    """
    by_start = sorted(waiting, key=lambda pair: pair[0])
    found = []
    longest: RequestTrace | None = None
    seen = 0
    for there_by, waits_at, one in sorted(moments, key=lambda moment: moment[:2]):
        while seen < len(by_start) and by_start[seen][0] + tolerance_seconds <= there_by:
            candidate = by_start[seen][1]
            if longest is None or candidate.waited_until > longest.waited_until:
                longest = candidate
            seen += 1
        if longest is not None and waits_at + tolerance_seconds <= longest.waited_until:
            found.append(Overtaking(one, longest))
    return found


def _tightest_tolerance_seconds(low: Sequence[RequestTrace], high: Sequence[RequestTrace]) -> float:
    # A larger tolerance only removes inversions, so a binary search finds the limit.
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


def _worst_of(findings: Sequence[Finding]) -> Finding:
    """Return one finding for all pairs: the worst verdict, with the reasons and the evidence of those that have it."""
    worst = worst_verdict(finding.verdict for finding in findings)
    those = [finding for finding in findings if finding.verdict is worst]
    reasons = "; ".join(finding.reason for finding in those)
    return Finding("order", worst, reasons, tuple(line for finding in those for line in finding.evidence))


def _find(
    levels: tuple[Priority, Priority],
    high: Sequence[RequestTrace],
    inversions: Sequence[Overtaking],
    overtakings: Sequence[Overtaking],
    tested: int,
) -> Finding:
    upper, lower = levels
    verdict = Verdict.PROVED
    reason = (
        f"{len(overtakings)} {upper} requests overtook {lower} ones; "
        f"no {lower} one went ahead of the {tested} that waited long enough to be judged"
    )
    without_place = sum(one.arrived_at is None and one.sent.outcome != "left" for one in high)
    if inversions:
        verdict = Verdict.VIOLATED
        reason = f"{len(inversions)} {lower} requests reached the target while a {upper} one was waiting"
    elif without_place:
        verdict = Verdict.UNPROVED
        reason = f"{without_place} {upper} requests never reached the target, and so had no place in the order"
    elif len(overtakings) < ENOUGH_OVERTAKINGS:
        verdict = Verdict.UNPROVED
        reason = (
            f"{len(overtakings)} {upper} requests overtook a {lower} one, and {ENOUGH_OVERTAKINGS} are wanted: "
            f"send more {lower} requests than the slots can carry, or let it last longer"
        )
    elif tested < ENOUGH_TESTED:
        verdict = Verdict.UNPROVED
        reason = (
            f"only {tested} {upper} requests waited long enough to be judged ({ENOUGH_TESTED} wanted): "
            "let the service last longer, or use a smaller --tolerance-seconds"
        )
    return Finding("order", verdict, reason, tuple(map(str, inversions)))
