"""Judges each promise from what clients sent, what reached the target, and when faults were. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.oracle import find_inversions
from loadtests.records import Arrival, RequestTrace, join_records
from tests.chaos.load.judging import (
    RequestRecord,
    is_lost_with_retry_after,
    is_refused_but_sent,
    is_sent_too_often,
    join_attempts,
)
from tests.chaos.load.plan import Done, Kind, Outcome
from tests.chaos.soak.stack import Death
from tests.chaos.soak.windows import Harm, Window

# Twice that of a check: load, proxies and the whole stack share the processors here.
TOLERANCE_SECONDS = 0.2
_CLOCK_MARGIN_SECONDS = 1.0  # two clocks are read around each event, on a busy machine


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: whether it was kept, what was counted, and the first cases that break it."""

    promise: str
    kept: bool
    seen: str
    broken_by: tuple[str, ...] = ()


def judge(
    done: Sequence[Done], arrivals: Sequence[Arrival], windows: Sequence[Window], deaths: Sequence[Death]
) -> list[Finding]:
    """Return a finding for each promise that can be judged from records."""
    traces = join_records((one.as_sent() for one in done), arrivals)
    seen = join_attempts(done, (arrival.request_id for arrival in arrivals))
    calm = [one for one in seen if _greatest_harm(one.done, windows) is Harm.NOTHING]
    unbroken = [
        one for one in seen if one.done.plan.kind.is_transfer and _greatest_harm(one.done, windows) < Harm.BREAKS
    ]
    return [
        _finding("every request is answered exactly once", _unanswered(done, deaths), len(done)),
        _finding(
            "every answer belongs to its own request", [one for one in done if one.outcome is Outcome.WRONG], len(done)
        ),
        _finding("no POST reaches the target twice", _attempted(seen, is_idempotent=False), len(seen)),
        _finding(
            "no idempotent request reaches the target three times", _attempted(seen, is_idempotent=True), len(seen)
        ),
        _finding(
            "no POST that was refused with 503 reaches the target", list(filter(is_refused_but_sent, seen)), len(seen)
        ),
        _finding("no 502 request-lost has a Retry-After", list(filter(is_lost_with_retry_after, seen)), len(seen)),
        _finding(
            "no 5xx without a fault that explains it", [one for one in calm if (one.done.status or 0) >= 500], len(calm)
        ),
        _finding(
            "no broken connection without a fault that explains it",
            [one for one in calm if _is_connection_broken(one.done)],
            len(calm),
        ),
        _finding(
            "every transfer is complete unless a fault may break it off",
            list(filter(_is_incomplete_transfer, unbroken)),
            len(unbroken),
        ),
        _order(traces, windows),
    ]


def _unanswered(done: Sequence[Done], deaths: Sequence[Death]) -> list[Done]:
    """Return the requests without a response whose gateway did not die and whose client did not disconnect."""
    return [
        one
        for one in done
        if one.outcome is Outcome.UNANSWERED
        or (one.outcome in (Outcome.CLOSED, Outcome.REFUSED) and not _its_gateway_died(one, deaths))
    ]


def _its_gateway_died(one: Done, deaths: Sequence[Death]) -> bool:
    return any(
        death.gateway == one.plan.gateway
        and death.began_at - _CLOCK_MARGIN_SECONDS <= one.ended_at
        and one.sent_at <= death.over_at
        # A gateway that is stopping answers all it has accepted; connections not yet accepted are closed.
        and (
            death.killed or one.outcome is Outcome.REFUSED or one.sent_at >= death.began_at - _CLOCK_MARGIN_SECONDS / 10
        )
        for death in deaths
    )


def _is_connection_broken(one: Done) -> bool:
    return one.outcome in (Outcome.BROKEN_OFF, Outcome.CLOSED, Outcome.REFUSED)


def _is_incomplete_transfer(one: RequestRecord) -> bool:
    """Return whether a transfer started and is incomplete."""
    done = one.done
    is_refused_upload = done.plan.kind is Kind.UPLOAD and (done.status or 0) >= 500 and one.attempts > 0
    return done.outcome is Outcome.BROKEN_OFF or is_refused_upload


def _attempted(seen: Sequence[RequestRecord], *, is_idempotent: bool) -> list[RequestRecord]:
    return [one for one in seen if one.done.plan.is_idempotent is is_idempotent and is_sent_too_often(one)]


def _greatest_harm(done: Done, windows: Sequence[Window]) -> Harm:
    """Return the most harm that the faults explain which overlap this request."""
    touching = (window.harm for window in windows if window.touches(done.sent_at, done.ended_at))
    return max(touching, default=Harm.NOTHING)


def _order(traces: Sequence[RequestTrace], windows: Sequence[Window]) -> Finding:
    calm = [one for one in traces if _is_calm(one.sent.sent_at, one.waited_until, windows)]
    high = [one for one in calm if one.sent.priority == "high"]
    inversions = find_inversions((one for one in calm if one.sent.priority == "low"), high, TOLERANCE_SECONDS)
    tested = sum(one.waited_seconds >= 2 * TOLERANCE_SECONDS for one in high)
    seen = f"{len(inversions)} inversions, {tested} high requests that waited long enough to tell"
    broken = tuple(str(one) for one in inversions[:5])
    return Finding("outside fault windows, no low request overtakes a waiting high one", not inversions, seen, broken)


def _is_calm(began_at: float, ended_at: float, windows: Sequence[Window]) -> bool:
    return not any(window.touches(began_at, ended_at) for window in windows)


def _finding(promise: str, broken: Sequence[Done] | Sequence[RequestRecord], of: int) -> Finding:
    return Finding(promise, not broken, f"{len(broken)} of {of:,}", tuple(map(str, broken[:5])))


def count_outcomes(done: Sequence[Done]) -> Counter[str]:
    """Return how many requests ended in each way."""
    return Counter(one.answer for one in done)
