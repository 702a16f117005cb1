"""The results of a check as JUnit XML, for CI servers: a suite for each scenario, a case for each finding.

A violated promise is a failure. An unproved one is an error: nothing was proved, and a green build would hide that.
Of much evidence, only the first lines and their total number are written.
"""

from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from loadtests.oracle import CheckResult, Finding, ScenarioResult, Verdict
from loadtests.report.files import MAX_WRITTEN, write_atomically

_SUITE = "loadtests"


def write_junit(result: CheckResult, path: Path) -> None:
    """Write the results as JUnit XML. Raises ReportError if it cannot be written."""
    root = Element("testsuites", name=_SUITE)
    for scenario in result.scenarios:
        _add_scenario(root, scenario)
    for name, reason in result.skipped.items():
        _add_skipped(root, name, reason)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    indent(root)
    write_atomically(path, tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _add_scenario(root: Element, scenario: ScenarioResult) -> None:
    verdicts = [finding.verdict for finding in scenario.findings]
    suite = SubElement(
        root,
        "testsuite",
        name=strip_forbidden(f"{_SUITE}.{scenario.name}"),
        tests=str(len(verdicts)),
        failures=str(verdicts.count(Verdict.VIOLATED)),
        errors=str(verdicts.count(Verdict.UNPROVED)),
        skipped="0",
        time=f"{scenario.ended_at - scenario.began_at:.3f}",
        timestamp=datetime.fromtimestamp(scenario.began_at, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    )
    for finding in scenario.findings:
        _add_finding(suite, scenario, finding)


def _add_finding(suite: Element, scenario: ScenarioResult, finding: Finding) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=strip_forbidden(f"{_SUITE}.{scenario.name}"),
        name=strip_forbidden(finding.check),
        time="0",
    )
    if finding.verdict is Verdict.PROVED:
        SubElement(case, "system-out").text = strip_forbidden(_join_lines(finding))
        return
    tag, opening = "failure", "violated"
    if finding.verdict is Verdict.UNPROVED:
        tag, opening = "error", "unproved, the run shows neither that the promise holds nor that it is broken"
    trouble = SubElement(
        case,
        tag,
        type=finding.verdict.name,
        message=strip_forbidden(f"{opening}: {finding.reason}"),
    )
    trouble.text = strip_forbidden(_join_lines(finding))


def _add_skipped(root: Element, name: str, reason: str) -> None:
    full_name = strip_forbidden(f"{_SUITE}.{name}")
    suite = SubElement(root, "testsuite", name=full_name, tests="1", failures="0", errors="0", skipped="1", time="0")
    case = SubElement(suite, "testcase", classname=full_name, name="scenario", time="0")
    SubElement(case, "skipped", message=strip_forbidden(reason))


def _join_lines(finding: Finding) -> str:
    count = len(finding.evidence)
    more = (f"The first {MAX_WRITTEN} of {count}.",) if count > MAX_WRITTEN else ()
    return "\n".join((finding.reason, *finding.evidence[:MAX_WRITTEN], *more))


def strip_forbidden(text: str) -> str:
    """Return the text without the characters that XML 1.0 (section 2.2) forbids, such as most controls."""
    return "".join(character for character in text if _is_allowed(ord(character)))


def _is_allowed(code: int) -> bool:
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
