"""What a soak has shown: each promise, from what clients sent, what reached the target, and when faults were. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.oracle import find_inversions
from loadtests.records import Arrival, RequestTrace, join_records
from tests.chaos.load.judging import (
    Seen,
    is_lost_but_told_to_retry,
    is_refused_but_sent,
    is_sent_too_often,
    join_attempts,
)
from tests.chaos.load.plan import Done, Kind, Outcome
from tests.chaos.soak.windows import Harm, Window
from tests.chaos.soak.yard import Death

# Twice that of a check: both halves of the load, all proxies and the whole stack share the processors here.
TOLERANCE_SECONDS = 0.2
_NOTICED_SECONDS = 1.0  # two clocks are read around each event, on a busy machine


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
    traces = join_records((one.as_sent() for one in done), arrivals)
    seen = join_attempts(done, (arrival.request_id for arrival in arrivals))
    calm = [one for one in seen if _most_harm(one.done, windows) is Harm.NOTHING]
    unbroken = [one for one in seen if one.done.plan.kind.is_transfer and _most_harm(one.done, windows) < Harm.BREAKS]
    return [
        _none("every request is answered exactly once", _unanswered(done, deaths), len(done)),
        _none("an answer is that of its own request", [one for one in done if one.outcome is Outcome.WRONG], len(done)),
        _none("no POST reaches the target twice", _attempted(seen, is_idempotent=False), len(seen)),
        _none("no idempotent request reaches it thrice", _attempted(seen, is_idempotent=True), len(seen)),
        _none("no 503 for what the target has, if not idempotent", list(filter(is_refused_but_sent, seen)), len(seen)),
        _none("no Retry-After with 502 request-lost", list(filter(is_lost_but_told_to_retry, seen)), len(seen)),
        _none("no 5xx that no fault explains", [one for one in calm if (one.done.status or 0) >= 500], len(calm)),
        _none("nothing broken off that no fault explains", [one for one in calm if _broke(one.done)], len(calm)),
        _none("transfers are whole where no process died", list(filter(_is_torn, unbroken)), len(unbroken)),
        _order(traces, windows),
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


def _is_torn(one: Seen) -> bool:
    """Tell whether a transfer has begun, and is not whole."""
    done = one.done
    is_refused_upload = done.plan.kind is Kind.UPLOAD and (done.status or 0) >= 500 and one.attempts > 0
    return done.outcome is Outcome.BROKEN_OFF or is_refused_upload


def _attempted(seen: Sequence[Seen], *, is_idempotent: bool) -> list[Seen]:
    return [one for one in seen if one.done.plan.is_idempotent is is_idempotent and is_sent_too_often(one)]


def _most_harm(done: Done, windows: Sequence[Window]) -> Harm:
    """Return the most that the faults explain that were there while this request was under way."""
    touching = (window.harm for window in windows if window.touches(done.sent_at, done.ended_at))
    return max(touching, default=Harm.NOTHING)


def _order(traces: Sequence[RequestTrace], windows: Sequence[Window]) -> Finding:
    calm = [one for one in traces if _is_calm(one.sent.sent_at, one.waited_until, windows)]
    high = [one for one in calm if one.sent.priority == "high"]
    inversions = find_inversions((one for one in calm if one.sent.priority == "low"), high, TOLERANCE_SECONDS)
    tested = sum(one.waited_seconds >= 2 * TOLERANCE_SECONDS for one in high)
    seen = f"{len(inversions)} inversions, {tested} high requests that waited long enough to tell"
    broken = tuple(str(one) for one in inversions[:5])
    return Finding(
        "no low request goes ahead of a waiting high one, outside fault windows", not inversions, seen, broken
    )


def _is_calm(began_at: float, ended_at: float, windows: Sequence[Window]) -> bool:
    return not any(window.touches(began_at, ended_at) for window in windows)


def _none(promise: str, broken: Sequence[Done] | Sequence[Seen], of: int) -> Finding:
    return Finding(promise, not broken, f"{len(broken)} of {of:,}", tuple(map(str, broken[:5])))


def count_outcomes(done: Sequence[Done]) -> Counter[str]:
    """Count how requests ended, in words."""
    return Counter(one.answer for one in done)
