"""The results of a check as strict JSON, for programs.

The shape, format 1; members are added without a new number, never renamed or dropped:

    format      1
    verdict     "PROVED", "VIOLATED" or "UNPROVED"; exit_code: 0, 1 or 3
    url         the gateway
    machine     what it ran on, as texts by name
    skipped     name of a scenario: the reason, for those that were not run
    scenarios   a list, in the order in which they ran, of
        name, title, verdict, slots, began_at, ended_at (unix seconds)
        findings     a list of check, verdict, reason, evidence (a list of lines, the first 200),
                     evidence_lines (how many there are of them in all)
        priorities   high and low: sent, arrived, answered, failed, left, median_seconds, p95_seconds, max_seconds
        order        tolerance_seconds, tightest_tolerance_seconds, tested, overtakings (how many),
                     inversions (how many)
        inversions   a list of ahead and behind, a request each: the low one that went ahead, the high one that
                     waited; the first 200, and order.inversions says how many there are in all
        comparison   null, or the members of `loadtests.oracle.Comparison`; high and low have those of
                     `ClassWaits`, and ratio and ratio_interval
        passages     a list of requests, only if requested

    A request has the members of `loadtests.records.SentRequest`, waited_seconds, and arrivals: a list of arrived_at,
    finished_at (null: never) and status (of the target's response; null: none, or not known).

All waits are seconds. Numbers that are not finite (no requests, no theory) are null.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtests.metrics import PRIORITIES, summarise
from loadtests.oracle import CheckResult, Comparison, Finding, ScenarioResult
from loadtests.records import RequestTrace
from loadtests.report.files import MAX_WRITTEN, write_atomically

FORMAT = 1


def write_json(result: CheckResult, path: Path, *, with_traces: bool = False) -> None:
    """Write the results as JSON, optionally with every request. Raises ReportError if it cannot be written."""
    # Escaped to ASCII, so that a lone surrogate in a request id cannot make the file invalid.
    text = json.dumps(_to_strict(_describe_check(result, with_traces)), indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode("ascii"))


def _describe_check(result: CheckResult, with_traces: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "verdict": result.verdict.name,
        "exit_code": result.verdict.exit_code,
        "url": result.url,
        "machine": dict(result.machine),
        "skipped": dict(result.skipped),
        "scenarios": [_describe_scenario(scenario, with_traces) for scenario in result.scenarios],
    }


def _describe_scenario(scenario: ScenarioResult, with_traces: bool) -> dict[str, Any]:
    order = scenario.order
    described: dict[str, Any] = {
        "name": scenario.name,
        "title": scenario.title,
        "verdict": scenario.verdict.name,
        "slots": scenario.slots,
        "began_at": scenario.began_at,
        "ended_at": scenario.ended_at,
        "findings": [_describe_finding(finding) for finding in scenario.findings],
        "priorities": {priority: _describe_priority(scenario, priority) for priority in PRIORITIES},
        "order": {
            "tolerance_seconds": order.tolerance_seconds,
            "tightest_tolerance_seconds": order.tightest_tolerance_seconds,
            "tested": order.tested,
            "overtakings": len(order.overtakings),
            "inversions": len(order.inversions),
        },
        "inversions": [
            {"ahead": _describe_request(one.ahead), "behind": _describe_request(one.behind)}
            for one in order.inversions[:MAX_WRITTEN]
        ],
        "comparison": _describe_comparison(scenario.comparison),
    }
    if with_traces:
        described["passages"] = [_describe_request(trace) for trace in scenario.traces]
    return described


def _describe_finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "verdict": finding.verdict.name,
        "reason": finding.reason,
        "evidence": list(finding.evidence[:MAX_WRITTEN]),
        "evidence_lines": len(finding.evidence),
    }


def _describe_priority(scenario: ScenarioResult, priority: Any) -> dict[str, Any]:
    summary = asdict(summarise(scenario.traces, priority))
    del summary["priority"]
    return summary


def _describe_request(trace: RequestTrace) -> dict[str, Any]:
    return {
        **trace.sent.to_dict(),
        "waited_seconds": trace.waited_seconds,
        "arrivals": [
            {"arrived_at": arrival.arrived_at, "finished_at": arrival.finished_at, "status": arrival.status}
            for arrival in trace.arrivals
        ],
    }


def _describe_comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    described = asdict(comparison)
    for waits in (comparison.high, comparison.low):
        described[waits.priority] |= {"ratio": waits.ratio, "ratio_interval": waits.ratio_interval}
    return described


def _to_strict(value: Any) -> Any:
    """Return the same with null for each number that JSON cannot represent."""
    if isinstance(value, dict):
        return {key: _to_strict(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_to_strict(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
