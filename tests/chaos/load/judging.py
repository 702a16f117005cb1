"""Judges each request of a load: promises that hold under every fault, and what a scenario allows in addition. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.load.plan import Done, Kind, Outcome

_MAX_ATTEMPTS = 2
_LOST = "request-lost"
_NOT_SENT = "request-not-sent"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may happen to requests of the load in one scenario. By default each is answered 200, complete."""

    refused: bool = False
    """503 with Retry-After: the request was not and will not be sent."""
    lost: bool = False
    """502 request-lost or request-not-sent: its worker died, or Redis lost it or is unavailable."""
    broken: bool = False
    """A response or an upload that has started may be broken off."""
    closed: bool = False
    """The gateway ends: connections may be closed or refused."""
    unsure: bool = False
    """The outcome cannot be read from Redis: an idempotent request may be 503 although the target has it."""
    also: frozenset[str] = frozenset()
    """Other allowed answers, such as "502 target-refused"."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request of a load: how it ended for its client, and how often it reached the target."""

    done: Done
    attempts: int

    def __str__(self) -> str:
        return f"{self.done}, {self.attempts} attempts, Retry-After {self.done.retry_after}"


def join_attempts(done: Iterable[Done], arrived_ids: Iterable[str | None]) -> list[RequestRecord]:
    """Return each request with its attempts, given the request ids of all arrivals at the target."""
    counts = Counter(arrived_ids)
    return [RequestRecord(one, counts[one.plan.request_id]) for one in done]


def find_broken(
    seen: Sequence[RequestRecord], allowed: Allowed, stalls: Sequence[tuple[float, float]] = ()
) -> dict[str, list[RequestRecord]]:
    """Return the broken promises, each with the requests that break it; empty if all were kept.

    During `stalls` (from and to, in unix seconds) the machine was too slow to judge: a request in flight then may
    have any answer that a fault explains. The promises in `ALWAYS` hold during stalls too.
    """
    calm = [one for one in seen if not any(_overlaps(one.done, *stall) for stall in stalls)]
    by_fault = {
        promise: [one for one in calm if is_broken(one)] for promise, is_broken in _promises_of(allowed).items()
    }
    found = by_fault | {promise: [one for one in seen if is_broken(one)] for promise, is_broken in ALWAYS.items()}
    return {promise: broken for promise, broken in found.items() if broken}


def _overlaps(done: Done, began_at: float, ended_at: float) -> bool:
    return done.ended_at >= began_at and done.sent_at <= ended_at


def is_sent_too_often(one: RequestRecord) -> bool:
    """Return whether a request reached the target too often: an idempotent one three times, another twice."""
    return one.attempts > (_MAX_ATTEMPTS if one.done.plan.is_idempotent else 1)


def is_refused_but_sent(one: RequestRecord) -> bool:
    """Return whether a request that is not idempotent was refused although the target has it."""
    return is_refused(one.done) and one.attempts > 0 and not one.done.plan.is_idempotent


def is_lost_with_retry_after(one: RequestRecord) -> bool:
    """Return whether 502 request-lost came with Retry-After."""
    return one.done.slug == _LOST and one.done.retry_after is not None


def is_refused(done: Done) -> bool:
    """Return whether the answer is 503 with Retry-After."""
    return done.status == 503 and done.retry_after is not None


ALWAYS: Mapping[str, Callable[[RequestRecord], bool]] = {
    "each request is answered once": lambda one: one.done.outcome is Outcome.UNANSWERED,
    "each answer belongs to its request, and its content is right": lambda one: one.done.outcome is Outcome.WRONG,
    "a POST reaches the target at most once, a GET at most twice": is_sent_too_often,
    "a POST refused with 503 and Retry-After never reaches the target": is_refused_but_sent,
    "502 request-lost has no Retry-After": is_lost_with_retry_after,
    "a request answered 200 has reached the target": lambda one: one.done.answer == "200" and one.attempts == 0,
}
"""The promises that hold under every fault, each with a function that returns whether a request breaks it."""


def count(seen: Iterable[RequestRecord]) -> str:
    """Return how the requests ended, as text: transfers after the others."""
    groups: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    for one in seen:
        kind, outcome = one.done.plan.kind, one.done.answer
        if one.done.outcome is Outcome.LEFT:
            outcome = "correct until the client disconnected"
        groups[kind.is_transfer][f"{kind} {outcome}" if kind.is_transfer else outcome] += 1
    return ", ".join(f"{outcome}: {number}" for group in groups.values() for outcome, number in group.most_common())


def _promises_of(allowed: Allowed) -> dict[str, Callable[[RequestRecord], bool]]:
    return {
        "an idempotent request refused with 503 has not reached the target": lambda one: (
            is_refused(one.done) and one.attempts > 0 and one.done.plan.is_idempotent and not allowed.unsure
        ),
        "each request is answered as this fault allows": lambda one: not _is_allowed(one, allowed),
    }


def _is_allowed(one: RequestRecord, allowed: Allowed) -> bool:
    done = one.done
    match done.outcome:
        case Outcome.CLOSED | Outcome.REFUSED:
            return allowed.closed
        case Outcome.BROKEN_OFF:
            return allowed.broken or allowed.closed
        case Outcome.ANSWERED:
            return _is_allowed_answer(one, allowed)
        case _:
            return True  # judged in ALWAYS


def _is_allowed_answer(one: RequestRecord, allowed: Allowed) -> bool:
    done = one.done
    if done.answer == "200" or done.answer in allowed.also:
        return True
    if done.plan.kind is Kind.UPLOAD and one.attempts and not allowed.broken:
        return False  # the target had it: a broken transfer
    return (allowed.refused and is_refused(done)) or (allowed.lost and done.slug in (_LOST, _NOT_SENT))
