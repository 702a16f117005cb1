"""What a soak has shown: each promise, from what clients sent, what reached the target, and when faults were. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.ordering import find_inversions
from loadtests.passages import Arrival, Passage, join
from tests.chaos.soak.traffic import Done, Outcome
from tests.chaos.soak.yard import Death

# Twice that of a check: both halves of the load, all proxies and the whole stack share the processors here.
TOLERANCE_SECONDS = 0.2
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
_MOST_ATTEMPTS = 2
_NOTICED_SECONDS = 1.0  # two clocks are read around each event, on a busy machine


@dataclass(frozen=True, slots=True)
class Window:
    """One fault, from its beginning until it was over and had settled; unix seconds."""

    name: str
    began_at: float
    over_at: float
    settled_at: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: what was counted, and the first few cases that break it."""

    promise: str
    kept: bool
    seen: str
    broken_by: tuple[str, ...] = ()


def judge(
    done: Sequence[Done], arrivals: Sequence[Arrival], windows: Sequence[Window], deaths: Sequence[Death]
) -> list[Finding]:
    """Judge every promise that can be judged from records."""
    passages = join((one.as_sent() for one in done), arrivals)
    thrice = _attempted(passages, _IDEMPOTENT, _MOST_ATTEMPTS)
    calm = [one for one in done if _is_calm(one.sent_at, one.ended_at, windows)]
    return [
        _none("every request is answered exactly once", _unanswered(done, deaths), len(done)),
        _none("an answer is that of its own request", [one for one in done if one.outcome is Outcome.WRONG], len(done)),
        _none("no POST reaches the target twice", _attempted(passages, {"POST"}, 1), len(passages)),
        _none("no idempotent request reaches it thrice", thrice, len(passages)),
        _none("no 5xx outside fault windows", [one for one in calm if (one.status or 0) >= 500], len(calm)),
        _none("nothing broken off outside fault windows", [one for one in calm if _broke(one)], len(calm)),
        _order(passages, windows),
    ]


def _unanswered(done: Sequence[Done], deaths: Sequence[Death]) -> list[Done]:
    """Find who got neither a response nor a connection that its own gateway closed by dying, nor left by itself."""
    return [
        one
        for one in done
        if one.outcome is Outcome.UNANSWERED
        or (one.outcome in (Outcome.CLOSED, Outcome.REFUSED) and not _its_gateway_died(one, deaths))
    ]


def _its_gateway_died(one: Done, deaths: Sequence[Death]) -> bool:
    return any(
        death.gateway == one.plan.gateway
        and death.began_at - _NOTICED_SECONDS <= one.ended_at
        and one.sent_at <= death.over_at
        # One that is told to end answers whatever it has taken; a connection that it had not yet taken is closed.
        and (death.killed or one.outcome is Outcome.REFUSED or one.sent_at >= death.began_at - _NOTICED_SECONDS / 10)
        for death in deaths
    )


def _broke(one: Done) -> bool:
    return one.outcome in (Outcome.BROKEN_OFF, Outcome.CLOSED, Outcome.REFUSED)


def _attempted(passages: Sequence[Passage], methods: set[str] | frozenset[str], most: int) -> list[Passage]:
    return [one for one in passages if one.sent.method in methods and len(one.arrivals) > most]


def _order(passages: Sequence[Passage], windows: Sequence[Window]) -> Finding:
    calm = [one for one in passages if _is_calm(one.sent.sent_at, one.waited_until, windows)]
    high = [one for one in calm if one.sent.priority == "high"]
    inversions = find_inversions((one for one in calm if one.sent.priority == "low"), high, TOLERANCE_SECONDS)
    tested = sum(one.waited_seconds >= 2 * TOLERANCE_SECONDS for one in high)
    seen = f"{len(inversions)} inversions, {tested} high requests that waited long enough to tell"
    broken = tuple(str(one) for one in inversions[:5])
    return Finding(
        "no low request goes ahead of a waiting high one, outside fault windows", not inversions, seen, broken
    )


def _is_calm(began_at: float, ended_at: float, windows: Sequence[Window]) -> bool:
    return all(ended_at < window.began_at or began_at > window.settled_at for window in windows)


def _none(promise: str, broken: Sequence[Done] | Sequence[Passage], of: int) -> Finding:
    return Finding(promise, not broken, f"{len(broken)} of {of:,}", tuple(_told(one) for one in broken[:5]))


def _told(one: Done | Passage) -> str:
    if isinstance(one, Passage):
        return f"{one.sent.method} {one.sent.request_id}: {len(one.arrivals)} attempts, status {one.sent.status}"
    return (
        f"{one.plan.method} {one.plan.request_id} by gateway {one.plan.gateway}, sent at {one.sent_at:.3f}: "
        f"{one.outcome}, {one.status} {one.slug} at {one.ended_at:.3f}"
    )


def count_outcomes(done: Sequence[Done]) -> Counter[str]:
    """Count how requests ended, in words."""
    return Counter(
        f"{one.status} {one.slug}".strip() if one.outcome is Outcome.ANSWERED else str(one.outcome) for one in done
    )
