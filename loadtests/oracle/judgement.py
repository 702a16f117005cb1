"""The judgement of one run: every promise of its scenario, from what was sent and what arrived. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from loadtests.oracle.delivery import (
    is_answered_by_target,
    judge_abandoned,
    judge_answered,
    judge_duplicates,
    judge_limit,
    judge_saturation,
    measure_slot_use,
)
from loadtests.oracle.measurement import compare_with_theory
from loadtests.oracle.ordering import DEFAULT_TOLERANCE_SECONDS, OrderResult, judge_order
from loadtests.oracle.verdict import Finding, Verdict
from loadtests.oracle.wait_comparison import Comparison
from loadtests.records import RequestTrace
from loadtests.scenarios import Scenario

# Every gateway has to keep these in every scenario, even if the scenario does not test them.
_ALWAYS_KEPT = ("order", "limit")
_COMPARED = frozenset({"waits", "slots busy"})
_ASKS_FOR_ERRORS = frozenset({"x-mock-error-rate", "x-mock-fault", "x-mock-fault-rate", "x-mock-status"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of one run; `comparison` is None if nothing was to be compared, or the records cannot be used."""

    order: OrderResult
    findings: tuple[Finding, ...]
    comparison: Comparison | None


def judge_run(
    scenario: Scenario,
    traces: Sequence[RequestTrace],
    *,
    slots: int,
    dropped: int = 0,
    tolerance_seconds: float = DEFAULT_TOLERANCE_SECONDS,
) -> Judgement:
    """Return one finding for each promise of the scenario, in their order.

    After them follow the order and the limit if they were not promised but are violated. `slots` is how many requests
    the gateway forwards at once, 1 or more. `dropped` is how many arrivals the target's log has dropped: then, or with
    clocks that differ, or if the log has none of the answered requests, all findings are unproved and nothing is
    compared, because such records may be misleading. Raises ValueError as `judge_order` does, and KeyError for an
    unknown promise.
    """
    order = judge_order(traces, tolerance_seconds, scenario.levels)
    flaw = _find_flaw(traces, dropped, tolerance_seconds)
    if flaw:
        findings = tuple(Finding(promise, Verdict.UNPROVED, flaw) for promise in scenario.promises)
        return Judgement(replace(order, finding=Finding("order", Verdict.UNPROVED, flaw)), findings, None)
    use = measure_slot_use(traces, slots, tolerance_seconds)
    comparison = compare_with_theory(traces, slots) if _COMPARED.intersection(scenario.promises) else None
    compared = {} if comparison is None else {finding.check: finding for finding in comparison.findings()}
    judges: dict[str, Callable[[], Finding]] = {
        "order": lambda: order.finding,
        "saturated": lambda: judge_saturation(use, slots),
        "limit": lambda: judge_limit(use, slots),
        "once": lambda: judge_duplicates(traces),
        "left": lambda: judge_abandoned(traces, tolerance_seconds),
        "answered": lambda: judge_answered(
            traces, tolerance_seconds, errors_expected=_may_answer_with_errors(scenario)
        ),
    }
    promised = [compared[promise] if promise in compared else judges[promise]() for promise in scenario.promises]
    others = [judges[check]() for check in _ALWAYS_KEPT if check not in scenario.promises]
    violated = [finding for finding in others if finding.verdict is Verdict.VIOLATED]
    return Judgement(order, (*promised, *violated), comparison)


def _may_answer_with_errors(scenario: Scenario) -> bool:
    """Return whether the target may return errors: the scenario sets them, or has no streams."""
    fields = {name.lower() for stream in scenario.streams for name, _ in stream.fields}
    return not scenario.streams or not fields.isdisjoint(_ASKS_FOR_ERRORS)


def _find_flaw(traces: Sequence[RequestTrace], dropped: int, tolerance_seconds: float) -> str | None:
    """Return why the records cannot be used, or None."""
    if dropped:
        return f"the target's log has lost {dropped} arrivals: start it with a larger --log-size"
    if any(map(_contradicts_clock, traces)):
        return "a request arrived before it was sent or after its end: the clocks of sender and target differ"
    answered = [trace for trace in traces if trace.sent.outcome == "answered"]
    if any(is_answered_by_target(one.sent) for one in answered) and not any(one.arrivals for one in answered):
        return (
            f"none of the {len(answered)} answered requests is in the target's log: "
            "is X-Request-ID forwarded, and is this the gateway's target?"
        )
    ahead_seconds = _ahead_seconds(traces)
    if ahead_seconds > tolerance_seconds / 2:
        return (
            f"the target finished each request {ahead_seconds:.3f} s or more after its response: "
            "the clocks of sender and target differ"
        )
    return None


def _contradicts_clock(trace: RequestTrace) -> bool:
    if trace.arrived_at is None:
        return False
    if trace.finished_at is not None and trace.finished_at < trace.arrived_at:
        return True
    # One that failed, or whose client left or got an error of the gateway's own, may arrive after its end.
    answered = is_answered_by_target(trace.sent)
    return trace.arrived_at < trace.sent.sent_at or (answered and trace.arrived_at > trace.sent.ended_at)


def _ahead_seconds(traces: Sequence[RequestTrace]) -> float:
    """Return the least seconds by which the target's clock is ahead of the sender's; 0 or less if nothing shows that.

    A target finishes a request before its sender has the response. With a clock that is ahead, low requests seem to
    arrive later than they did, while high ones wait that had not been sent yet.
    """
    return min(
        (
            one.finished_at - one.sent.ended_at
            for one in traces
            if is_answered_by_target(one.sent) and one.finished_at is not None
        ),
        default=0.0,
    )
