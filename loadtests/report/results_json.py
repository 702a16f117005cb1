"""The results of a check as strict JSON, for programs.

The shape, format 1; members are added without a new number, never renamed or dropped:

    format      1
    verdict     "PROVED", "VIOLATED" or "UNPROVED"; exit_code: 0, 1 or 3
    url         the gateway
    machine     what it ran on, text by text
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
        comparison   null, or the members of `loadtests.comparing.Comparison`; high and low have those of
                     `ClassWaits`, and ratio and ratio_interval
        passages     a list of requests, only if they were asked for

    A request has the members of `loadtests.passages.Sent`, waited_seconds, and arrivals: a list of arrived_at,
    finished_at (null: never) and status (of the target's answer; null: none, or not known).

All waits are seconds. What is no finite number (no requests, no theory) is null.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtests.metrics import PRIORITIES, summarise
from loadtests.oracle import CheckResult, Comparison, Finding, ScenarioResult
from loadtests.records import Passage
from loadtests.report.files import MOST_WRITTEN, write_whole

FORMAT = 1


def write_json(result: CheckResult, path: Path, *, with_passages: bool = False) -> None:
    """Write the results as JSON, with every single request if asked to. Raises ReportError if it cannot be written."""
    # Escaped to ASCII, so that half a character in a request id cannot spoil the file.
    text = json.dumps(_to_strict(_describe_check(result, with_passages)), indent=2, allow_nan=False)
    write_whole(path, f"{text}\n".encode("ascii"))


def _describe_check(result: CheckResult, with_passages: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "verdict": result.verdict.name,
        "exit_code": result.verdict.exit_code,
        "url": result.url,
        "machine": dict(result.machine),
        "skipped": dict(result.skipped),
        "scenarios": [_describe_scenario(scenario, with_passages) for scenario in result.scenarios],
    }


def _describe_scenario(scenario: ScenarioResult, with_passages: bool) -> dict[str, Any]:
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
            for one in order.inversions[:MOST_WRITTEN]
        ],
        "comparison": _describe_comparison(scenario.comparison),
    }
    if with_passages:
        described["passages"] = [_describe_request(passage) for passage in scenario.passages]
    return described


def _describe_finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "verdict": finding.verdict.name,
        "reason": finding.reason,
        "evidence": list(finding.evidence[:MOST_WRITTEN]),
        "evidence_lines": len(finding.evidence),
    }


def _describe_priority(scenario: ScenarioResult, priority: Any) -> dict[str, Any]:
    summary = asdict(summarise(scenario.passages, priority))
    del summary["priority"]
    return summary


def _describe_request(passage: Passage) -> dict[str, Any]:
    return {
        **passage.sent.to_dict(),
        "waited_seconds": passage.waited_seconds,
        "arrivals": [
            {"arrived_at": arrival.arrived_at, "finished_at": arrival.finished_at, "status": arrival.status}
            for arrival in passage.arrivals
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
    """Give the same with null for each number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _to_strict(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_to_strict(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
