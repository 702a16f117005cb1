"""The results of a check as JUnit XML."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtests.oracle.results import CheckResult
from loadtests.oracle.verdict import Finding, Verdict
from loadtests.report import write_junit
from loadtests.report.files import MAX_WRITTEN
from loadtests.report.junit import strip_forbidden
from tests.unit.loadtests import report_rig as rig


def written(result: CheckResult, folder: Path) -> ElementTree.Element:
    path = folder / "junit.xml"
    write_junit(result, path)
    return ElementTree.parse(path).getroot()  # noqa: S314 - just written


def found(verdict: Verdict, folder: Path) -> ElementTree.Element:
    case = written(rig.check(rig.scenario(findings=(rig.finding(verdict, evidence="a line"),))), folder).find(
        ".//testcase"
    )
    assert case is not None
    return case


def test_a_proved_promise_is_a_passed_case(tmp_path: Path) -> None:
    """A case without failure, error or skipped is what CI servers count as passed."""
    assert [child.tag for child in found(Verdict.PROVED, tmp_path)] == ["system-out"]


def test_a_violated_promise_is_a_failure_with_its_evidence(tmp_path: Path) -> None:
    """A violated promise is a failure of the build, with its evidence."""
    failure = found(Verdict.VIOLATED, tmp_path).find("failure")
    assert failure is not None
    assert failure.get("message") == "violated: because"
    assert failure.text == "because\na line"


@pytest.mark.parametrize("verdict", [Verdict.PROVED, Verdict.VIOLATED])
def test_of_much_evidence_the_first_is_there_and_all_is_counted(tmp_path: Path, verdict: Verdict) -> None:
    """The file lists the first lines of the evidence and the number of all, so that it stays small."""
    lines = tuple(f"line {number}" for number in range(MAX_WRITTEN + 1))
    finding = Finding("once", verdict, "because", lines)
    case = written(rig.check(rig.scenario(findings=(finding,))), tmp_path).find(".//testcase")
    assert case is not None
    assert str(case[0].text).splitlines() == [
        "because",
        *lines[:MAX_WRITTEN],
        f"The first {MAX_WRITTEN} of {MAX_WRITTEN + 1}.",
    ]


def test_an_unproved_promise_is_an_error(tmp_path: Path) -> None:
    """An unproved promise is an error, so that it does not pass for a proved one."""
    error = found(Verdict.UNPROVED, tmp_path).find("error")
    assert error is not None
    assert str(error.get("message")).startswith("unproved")


def test_a_skipped_scenario_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """A skipped scenario is in the document as skipped, with the reason."""
    root = written(rig.check(skipped={"drain": "not ours"}), tmp_path)
    skipped = root.find("./testsuite[@name='loadtests.drain']/testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "not ours"


def test_the_counts_are_those_of_the_cases(tmp_path: Path) -> None:
    """Each suite and the document have the counts of their cases."""
    findings = (rig.finding(Verdict.VIOLATED), rig.finding(Verdict.UNPROVED), rig.finding(Verdict.PROVED))
    result = rig.check(
        rig.scenario(findings=findings), rig.scenario(findings=findings[:1]), skipped={"drain": "not ours"}
    )
    root = written(result, tmp_path)
    counts = [[int(one.attrib[name]) for name in ("tests", "failures", "errors", "skipped")] for one in (root, *root)]
    assert counts == [[5, 2, 1, 1], [3, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=20))
def test_a_document_with_any_text_parses(tmp_path: Path, text: str) -> None:
    """Control characters, surrogates and markup from a run do not break the document."""
    finding = rig.finding(Verdict.VIOLATED, check=text, reason=text, evidence=text or "-")
    root = written(rig.check(rig.scenario(name=text, findings=(finding,)), skipped={text: text}), tmp_path)
    assert len(root.findall(".//testcase")) == 2


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x0b", "\ud800", "\ufffe"])
def test_characters_that_xml_has_no_place_for_are_left_out(character: str) -> None:
    """Characters that XML 1.0 (section 2.2) excludes are left out: they cannot be written, not even escaped."""
    assert strip_forbidden(f"a{character}b") == "ab"


def test_characters_that_xml_has_a_place_for_stay() -> None:
    """Characters that XML allows are written."""
    assert strip_forbidden("a\tb\nc <&> é 😀") == "a\tb\nc <&> é 😀"
