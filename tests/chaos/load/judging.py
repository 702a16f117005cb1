"""What must hold for each request of a load, whatever fault came; and what a scenario's promise allows beside. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.load.plan import Done, Kind, Outcome

_MOST_ATTEMPTS = 2
_LOST = "request-lost"
_NOT_SENT = "request-not-sent"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may happen to requests of the load in one scenario. Without a word, each is answered 200, and whole."""

    refused: bool = False
    """503 with Retry-After: certain not to be sent."""
    lost: bool = False
    """502 request-lost or request-not-sent: its worker is gone, or Redis has forgotten it, or cannot be asked."""
    broken: bool = False
    """A response, or the body of an upload, that has begun may break off."""
    closed: bool = False
    """The gateway ends: connections may be closed or refused."""
    unsure: bool = False
    """Redis cannot be asked for the outcome: an idempotent request may be 503 though the target has it."""
    also: frozenset[str] = frozenset()
    """Answers that tell of this fault, such as "502 target-refused"."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request of a load: how it ended for its client, and how often it reached the target."""

    done: Done
    attempts: int

    def __str__(self) -> str:
        return f"{self.done}, {self.attempts} attempts, Retry-After {self.done.retry_after}"


def join_attempts(done: Iterable[Done], arrived_ids: Iterable[str | None]) -> list[Seen]:
    """Return each request with its attempts, given the request id of each arrival at the target."""
    counts = Counter(arrived_ids)
    return [Seen(one, counts[one.plan.request_id]) for one in done]


def find_broken(
    seen: Sequence[Seen], allowed: Allowed, stalls: Sequence[tuple[float, float]] = ()
) -> dict[str, list[Seen]]:
    """Return the promises that were broken, each with the requests that show it; empty if all were kept.

    In `stalls`, from and to in unix seconds, the machine was too busy to tell: a request that was under way then may be
    answered as in any fault. What holds whatever the fault is holds then as well.
    """
    calm = [one for one in seen if not any(_is_touched(one.done, *stall) for stall in stalls)]
    by_fault = {promise: [one for one in calm if is_broken(one)] for promise, is_broken in _by(allowed).items()}
    found = by_fault | {promise: [one for one in seen if is_broken(one)] for promise, is_broken in ALWAYS.items()}
    return {promise: broken for promise, broken in found.items() if broken}


def _is_touched(done: Done, began_at: float, ended_at: float) -> bool:
    return done.ended_at >= began_at and done.sent_at <= ended_at


def is_sent_too_often(one: Seen) -> bool:
    """Tell whether a request that may be sent once was sent twice, or any other a third time."""
    return one.attempts > (_MOST_ATTEMPTS if one.done.plan.is_idempotent else 1)


def is_refused_but_sent(one: Seen) -> bool:
    """Tell whether its client heard 503 with Retry-After, and the target has it though it must not be sent again."""
    return is_refused(one.done) and one.attempts > 0 and not one.done.plan.is_idempotent


def is_lost_but_told_to_retry(one: Seen) -> bool:
    """Tell whether an outcome that is not known came with Retry-After."""
    return one.done.slug == _LOST and one.done.retry_after is not None


def is_refused(done: Done) -> bool:
    """Tell whether it was answered 503 with Retry-After."""
    return done.status == 503 and done.retry_after is not None


ALWAYS: Mapping[str, Callable[[Seen], bool]] = {
    "each request is answered once": lambda one: one.done.outcome is Outcome.UNANSWERED,
    "an answer is that of its own request, and its content is right": lambda one: one.done.outcome is Outcome.WRONG,
    "a POST reaches the target once at most, and a GET twice": is_sent_too_often,
    "503 with Retry-After is for what the target has not seen": is_refused_but_sent,
    "502 request-lost has no Retry-After": is_lost_but_told_to_retry,
    "what is answered 200 has reached the target": lambda one: one.done.answer == "200" and one.attempts == 0,
}
"""What holds for each request whatever the fault: the promise, and what tells that a request breaks it."""


def count(seen: Iterable[Seen]) -> str:
    """Return how the requests ended, in words: transfers apart from the others."""
    groups: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    for one in seen:
        kind, outcome = one.done.plan.kind, one.done.answer
        if one.done.outcome is Outcome.LEFT:
            outcome = "right as far as it was taken"
        groups[kind.is_transfer][f"{kind} {outcome}" if kind.is_transfer else outcome] += 1
    return ", ".join(f"{outcome}: {number}" for group in groups.values() for outcome, number in group.most_common())


def _by(allowed: Allowed) -> dict[str, Callable[[Seen], bool]]:
    return {
        "an idempotent request that is refused has not reached the target": lambda one: (
            is_refused(one.done) and one.attempts > 0 and one.done.plan.is_idempotent and not allowed.unsure
        ),
        "each request is answered as this fault allows": lambda one: not _is_allowed(one, allowed),
    }


def _is_allowed(one: Seen, allowed: Allowed) -> bool:
    done = one.done
    match done.outcome:
        case Outcome.CLOSED | Outcome.REFUSED:
            return allowed.closed
        case Outcome.BROKEN_OFF:
            return allowed.broken or allowed.closed
        case Outcome.ANSWERED:
            return _is_allowed_answer(one, allowed)
        case _:
            return True  # judged above


def _is_allowed_answer(one: Seen, allowed: Allowed) -> bool:
    done = one.done
    if done.answer == "200" or done.answer in allowed.also:
        return True
    if done.plan.kind is Kind.UPLOAD and one.attempts and not allowed.broken:
        return False  # it was under way
    return (allowed.refused and is_refused(done)) or (allowed.lost and done.slug in (_LOST, _NOT_SENT))
