"""Results of checks, made up from simple runs, for the tests of the report."""

from collections.abc import Iterable

from loadtests.oracle.ordering import judge_order
from loadtests.oracle.results import CheckResult, ScenarioResult
from loadtests.oracle.verdict import Finding, Verdict
from loadtests.oracle.wait_comparison import Comparison
from loadtests.records.traces import Arrival, Outcome, Priority, RequestTrace, SentRequest

BEGAN_AT = 1_750_000_000.0
SERVICE_SECONDS = 1.0
NASTY = "<script>alert('&\"')</script>"
"""Text that a page or a document must not read as markup."""


def trace(
    name: str,
    priority: Priority,
    sent_seconds: float,
    arrived_seconds: float | None,
    outcome: Outcome = "answered",
    ended_seconds: float | None = None,
) -> RequestTrace:
    """One request, with times in seconds of the run; it takes a second at the target."""
    arrived_at = None if arrived_seconds is None else BEGAN_AT + arrived_seconds
    finished_at = None if arrived_at is None else arrived_at + SERVICE_SECONDS
    last_seconds = sent_seconds if arrived_seconds is None else arrived_seconds + SERVICE_SECONDS
    ended_at = BEGAN_AT + (last_seconds if ended_seconds is None else ended_seconds)
    sent = SentRequest(
        name, priority, BEGAN_AT + sent_seconds, ended_at, outcome, 200 if outcome == "answered" else None
    )
    return RequestTrace(sent, () if arrived_at is None else (Arrival(name, arrived_at, finished_at),))


def overtaking(count: int = 30) -> tuple[RequestTrace, ...]:
    """Low requests that are all sent at first, and as many high ones sent later, served before them by one slot."""
    high = [trace(f"high-{index}", "high", 1.5 + index, 2.0 + index) for index in range(count)]
    low = [trace("low-first", "low", 0.0, 0.0)]
    low += [trace(f"low-{index}", "low", 0.01 * index, 2.0 + count + index) for index in range(count)]
    return tuple(sorted((*low, *high), key=lambda one: one.sent.sent_at))


def inverted(count: int = 1) -> tuple[RequestTrace, ...]:
    """High requests that are sent first, and low ones that reach the target long before them."""
    low = [trace(f"low-{index}", "low", 0.5, 1.0 + index) for index in range(count)]
    high = [trace(f"high-{index}", "high", 0.01 * index, 2.0 + count + index) for index in range(count)]
    return tuple(sorted((*low, *high), key=lambda one: one.sent.sent_at))


def scenario(
    traces: Iterable[RequestTrace] = (),
    *,
    name: str = "saturation",
    title: str = "a flood of low requests",
    findings: tuple[Finding, ...] | None = None,
    comparison: Comparison | None = None,
) -> ScenarioResult:
    """A scenario with these requests, judged by the oracle if no findings are given."""
    known = tuple(traces)
    order = judge_order(known)
    return ScenarioResult(
        name=name,
        title=title,
        slots=1,
        began_at=BEGAN_AT - 2.0,
        ended_at=BEGAN_AT + 100.0,
        traces=known,
        order=order,
        findings=(order.finding,) if findings is None else findings,
        comparison=comparison,
    )


def check(*scenarios: ScenarioResult, skipped: dict[str, str] | None = None) -> CheckResult:
    """A check of these scenarios on some machine."""
    machine = {"Python": "3.11.9", "command": "loadtest check --seed 1"}
    return CheckResult("http://127.0.0.1:8000", scenarios, skipped or {}, machine)


def finding(verdict: Verdict, *, check: str = "once", reason: str = "because", evidence: str = "") -> Finding:
    """A finding with at most one line of evidence."""
    return Finding(check, verdict, reason, (evidence,) if evidence else ())
