"""Judges one run of a scenario: each promise that the scenario names, from what was sent and what arrived. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from loadtests.oracle.delivery import (
    is_answered_by_target,
    judge_answered,
    judge_left,
    judge_limit,
    judge_once,
    judge_saturation,
    measure_use,
)
from loadtests.oracle.measurement import compare
from loadtests.oracle.ordering import DEFAULT_TOLERANCE_SECONDS, Order, judge_order
from loadtests.oracle.verdict import Finding, Verdict
from loadtests.oracle.wait_comparison import Comparison
from loadtests.records import Passage
from loadtests.scenarios import Scenario

# What any gateway has to keep whatever is done to it; that it was put to the test is another matter.
_ALWAYS_KEPT = ("order", "limit")
_COMPARED = frozenset({"waits", "slots busy"})
_ASKS_FOR_ERRORS = frozenset({"x-mock-error-rate", "x-mock-fault", "x-mock-fault-rate", "x-mock-status"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one run has shown; `comparison` is None where nothing was to be compared, or the records are worthless."""

    order: Order
    findings: tuple[Finding, ...]
    comparison: Comparison | None


def judge_run(
    scenario: Scenario,
    passages: Sequence[Passage],
    *,
    slots: int,
    dropped: int = 0,
    tolerance_seconds: float = DEFAULT_TOLERANCE_SECONDS,
) -> Judgement:
    """Judge what the scenario promises: one finding for each of its promises, in their order.

    After them come the order and the limit where they were not promised, but are violated all the same. `slots` is the
    most that the gateway lets through at once, 1 or more. `dropped` is how many arrivals the target's log has lost:
    then, or with clocks that disagree, or where the log knows none of what was answered, all findings are unproved and
    nothing is compared, because such evidence could show what never was. Raises ValueError for a tolerance that is not
    above 0, and KeyError for a promise that nobody can judge.
    """
    order = judge_order(passages, tolerance_seconds)
    flaw = _find_flaw(passages, dropped, tolerance_seconds)
    if flaw:
        findings = tuple(Finding(promise, Verdict.UNPROVED, flaw) for promise in scenario.promises)
        return Judgement(replace(order, finding=Finding("order", Verdict.UNPROVED, flaw)), findings, None)
    use = measure_use(passages, slots, tolerance_seconds)
    comparison = compare(passages, slots) if _COMPARED.intersection(scenario.promises) else None
    compared = {} if comparison is None else {finding.check: finding for finding in comparison.findings()}
    judges: dict[str, Callable[[], Finding]] = {
        "order": lambda: order.finding,
        "saturated": lambda: judge_saturation(use, slots),
        "limit": lambda: judge_limit(use, slots),
        "once": lambda: judge_once(passages),
        "left": lambda: judge_left(passages, tolerance_seconds),
        "answered": lambda: judge_answered(
            passages, tolerance_seconds, errors_expected=_may_answer_with_errors(scenario)
        ),
    }
    promised = [compared[promise] if promise in compared else judges[promise]() for promise in scenario.promises]
    others = [judges[check]() for check in _ALWAYS_KEPT if check not in scenario.promises]
    violated = [finding for finding in others if finding.verdict is Verdict.VIOLATED]
    return Judgement(order, (*promised, *violated), comparison)


def _may_answer_with_errors(scenario: Scenario) -> bool:
    """Say whether the target was asked for errors; of records without streams nobody knows what it was asked for."""
    fields = {name.lower() for stream in scenario.streams for name, _ in stream.fields}
    return not scenario.streams or not fields.isdisjoint(_ASKS_FOR_ERRORS)


def _find_flaw(passages: Sequence[Passage], dropped: int, tolerance_seconds: float) -> str | None:
    """Say what makes the observations worthless, or None."""
    if dropped:
        return f"the target's log has lost {dropped} arrivals: start it with a larger --log-size"
    if any(map(_contradicts_clock, passages)):
        return "a request arrived before it was sent or after its end: the clocks of sender and target do not agree"
    answered = [passage for passage in passages if passage.sent.outcome == "answered"]
    if any(is_answered_by_target(one.sent) for one in answered) and not any(one.arrivals for one in answered):
        return (
            f"none of the {len(answered)} answered requests is in the target's log: "
            "is X-Request-ID passed on, and is this the gateway's target?"
        )
    ahead_seconds = _ahead_seconds(passages)
    if ahead_seconds > tolerance_seconds / 2:
        return (
            f"the target finished each request {ahead_seconds:.3f} s or more after its answer: "
            "the clocks of sender and target do not agree"
        )
    return None


def _contradicts_clock(passage: Passage) -> bool:
    if passage.arrived_at is None:
        return False
    if passage.finished_at is not None and passage.finished_at < passage.arrived_at:
        return True
    # One that failed, or whose client had left or got an error of the gateway's own, may well arrive after its end.
    answered = is_answered_by_target(passage.sent)
    return passage.arrived_at < passage.sent.sent_at or (answered and passage.arrived_at > passage.sent.ended_at)


def _ahead_seconds(passages: Sequence[Passage]) -> float:
    """Give by how much the target's clock is ahead of the sender's at least; 0 or less where nothing shows that it is.

    A target has finished a request before its sender has the answer. With a clock that is ahead, low requests seem to
    have arrived later than they did, while high ones waited that had not been sent yet.
    """
    return min(
        (
            one.finished_at - one.sent.ended_at
            for one in passages
            if is_answered_by_target(one.sent) and one.finished_at is not None
        ),
        default=0.0,
    )
