"""The results of a check as JSON."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtests.oracle.measurement import compare_with_theory
from loadtests.oracle.results import CheckResult
from loadtests.oracle.verdict import Verdict
from loadtests.report import ReportError, write_json
from loadtests.report.files import MAX_WRITTEN
from tests.unit.loadtests import report_rig as rig


def written(result: CheckResult, folder: Path, *, with_traces: bool = False) -> Any:
    path = folder / "results.json"
    write_json(result, path, with_traces=with_traces)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_the_verdict_and_its_exit_code_are_those_of_the_check(tmp_path: Path) -> None:
    """The file has the verdict and the exit code of the command."""
    document = written(rig.check(rig.scenario(rig.inverted())), tmp_path)
    assert (document["format"], document["verdict"], document["exit_code"]) == (1, "VIOLATED", 1)


def test_each_priority_has_its_counts_and_waits(tmp_path: Path) -> None:
    """High and low each have the numbers of their own requests."""
    traces = [rig.trace("a", "high", 0.0, 0.5), rig.trace("b", "low", 0.0, 2.0)]
    priorities = written(rig.check(rig.scenario(traces)), tmp_path)["scenarios"][0]["priorities"]
    assert priorities["high"]["median_seconds"] == pytest.approx(0.5)
    assert priorities["low"]["max_seconds"] == pytest.approx(2.0)
    assert [priorities[name]["answered"] for name in ("high", "low")] == [1, 1]


def test_both_requests_of_an_inversion_are_there(tmp_path: Path) -> None:
    """Both requests of an inversion are in the file."""
    [one] = written(rig.check(rig.scenario(rig.inverted(1))), tmp_path)["scenarios"][0]["inversions"]
    assert (one["ahead"]["request_id"], one["behind"]["request_id"]) == ("low-0", "high-0")
    assert one["ahead"]["arrivals"][0]["arrived_at"] == pytest.approx(rig.BEGAN_AT + 1.0)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_null(tmp_path: Path, number: float) -> None:
    """Numbers that are not finite are written as null, so the file is strict JSON."""
    scenario = rig.scenario(rig.overtaking())
    scenario = replace(scenario, order=replace(scenario.order, tightest_tolerance_seconds=number))
    document = written(rig.check(scenario), tmp_path)
    assert document["scenarios"][0]["order"]["tightest_tolerance_seconds"] is None


def test_without_requests_there_are_no_waits(tmp_path: Path) -> None:
    """A scenario in which nothing was sent has no waits."""
    document = written(rig.check(rig.scenario()), tmp_path)
    assert document["scenarios"][0]["priorities"]["high"]["p95_seconds"] is None


def test_requests_are_written_only_on_request(tmp_path: Path) -> None:
    """By default the file has no single requests; with the option it has all of them."""
    result = rig.check(rig.scenario(rig.overtaking()))
    assert "passages" not in written(result, tmp_path)["scenarios"][0]
    assert len(written(result, tmp_path, with_traces=True)["scenarios"][0]["passages"]) == 61


def test_evidence_and_skipped_scenarios_are_there(tmp_path: Path) -> None:
    """The file has all evidence and all skipped scenarios."""
    finding = rig.finding(Verdict.VIOLATED, evidence="a arrived 2 times")
    document = written(rig.check(rig.scenario(findings=(finding,)), skipped={"drain": "not ours"}), tmp_path)
    assert document["skipped"] == {"drain": "not ours"}
    assert document["scenarios"][0]["findings"] == [
        {
            "check": "once",
            "verdict": "VIOLATED",
            "reason": "because",
            "evidence": ["a arrived 2 times"],
            "evidence_lines": 1,
        }
    ]


def test_of_much_evidence_the_first_is_there_and_all_is_counted(tmp_path: Path) -> None:
    """The file lists the first lines of the evidence and the number of all, so that it stays small."""
    scenario = rig.scenario(rig.inverted(MAX_WRITTEN + 30))
    count = len(scenario.order.inversions)
    assert count > MAX_WRITTEN
    [described] = written(rig.check(scenario), tmp_path)["scenarios"]
    assert (len(described["inversions"]), described["order"]["inversions"]) == (MAX_WRITTEN, count)
    [finding] = described["findings"]
    assert finding["evidence"] == list(scenario.findings[0].evidence[:MAX_WRITTEN])
    assert finding["evidence_lines"] == count


def test_a_comparison_is_there_with_its_ratios(tmp_path: Path) -> None:
    """Measured, perfect and theoretical waits can be read, and their ratios."""
    traces = rig.overtaking(60)
    comparison = compare_with_theory(traces, 1)
    document = written(rig.check(rig.scenario(traces, comparison=comparison)), tmp_path)
    described = document["scenarios"][0]["comparison"]
    assert described["high"]["measured_seconds"] == comparison.high.measured_seconds
    assert described["low"]["ratio"] == comparison.low.ratio
    assert len(described["high"]["ratio_interval"]) == 2


def test_a_comparison_of_nothing_is_strict_json(tmp_path: Path) -> None:
    """Values that are undefined without requests are null."""
    document = written(rig.check(rig.scenario(comparison=compare_with_theory((), 1))), tmp_path)
    assert document["scenarios"][0]["comparison"]["high"]["estimated_seconds"] is None


def test_half_a_character_in_an_id_does_not_stop_it(tmp_path: Path) -> None:
    """A request id with a surrogate, which is not valid Unicode text, is written."""
    document = written(rig.check(rig.scenario([rig.trace("\ud800", "low", 0.0, 1.0)])), tmp_path, with_traces=True)
    assert document["scenarios"][0]["passages"][0]["request_id"] == "\ud800"


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(ReportError, match=r"^\S*taken/results\.json cannot be written: [^\n]+$"):
        write_json(rig.check(), tmp_path / "taken" / "results.json")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a write fails, the old report stays as it was, and no other file is left."""
    path = tmp_path / "results.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ReportError, match="No space left on device"):
        write_json(rig.check(), path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("results.json", "old")]
