"""The reports of docs/evidence/performance.md: what they store, and where it is written."""

import pytest

from benchmarks.load import LoadResult
from benchmarks.performance.document import blocks_of, fill_page, merge_figures
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import FULL, QUICK
from benchmarks.results import Spread, at_least, format_ratio


def test_a_figure_with_errors_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    """It is stored unchanged, the report names it, and no ratio uses it."""
    report = Report("ways")
    result = report.record(LoadResult(1000, 2.0, 3, 1.5, 9.0), way="our queue", round=0)
    assert Spread.of([result.per_second, result.median_ms, result.p99_ms]).values == ()
    assert report.figures[0]["requests"] == 1000
    assert "3 requests failed" in report.errors[0]
    assert "our queue" in capsys.readouterr().err


def test_a_figure_has_the_fields_of_the_document() -> None:
    """docs/evidence/performance.json stays comparable between versions."""
    report = Report("ways")
    report.record(LoadResult(1000, 2.0, 0, 1.5, 9.0), way="our queue", service_ms=10, connections=1, round=0)
    assert report.figures == [
        {
            "part": "ways", "way": "our queue", "service_ms": 10, "connections": 1, "round": 0,
            "requests": 1000, "seconds": 2.0, "errors": 0, "median_ms": 1.5, "p99_ms": 9.0, "per_second": 500.0,
        }
    ]  # fmt: skip


def test_a_block_is_filled_between_its_marks() -> None:
    """The text around it and the blocks that were not measured stay unchanged."""
    page = "# Page\n<!-- a -->\nold\n<!-- /a -->\nprose\n<!-- b -->\nkept\n<!-- /b -->\n"
    assert fill_page(page, {"a": r"new \1", "c": "nowhere"}) == page.replace("old", r"new \1")


def test_each_part_has_its_own_block_of_findings() -> None:
    """So one part can be measured without the others."""
    report = Report("idle", [at_least("x", 1, Spread.of([2.0]), format_ratio)], {"idle": "| table |"})
    blocks = blocks_of([report, Report("ways")], "a machine")
    assert sorted(blocks) == ["findings-idle", "idle", "machine"]


def test_figures_of_other_parts_are_kept() -> None:
    """A part that was measured replaces its own figures only."""
    new = Report("idle", figures=[{"part": "idle", "round": 1}])
    merged = merge_figures([{"part": "idle", "round": 0}, {"part": "ways", "round": 0}], [new])
    assert merged == [{"part": "ways", "round": 0}, {"part": "idle", "round": 1}]


def test_the_full_run_has_the_documented_size() -> None:
    """1 to 1,024 connections, 0 to 100 ms, 10,000 queued and 10,000 waiting; the quick run is smaller."""
    assert FULL.connections == (1, 16, 64, 256, 1024)
    assert FULL.service_times_ms == (0, 10, 100)
    assert (FULL.few_queued, FULL.many_queued, FULL.waiting_clients) == (100, 10_000, 10_000)
    assert QUICK.rounds < FULL.rounds
    assert QUICK.waiting_clients < FULL.waiting_clients
