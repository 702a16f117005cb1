"""The results of a check as a table for the terminal."""

from io import StringIO

from rich.console import Console

from loadtests.oracle.results import CheckResult
from loadtests.oracle.verdict import Verdict
from loadtests.report import make_table
from tests.unit.loadtests import report_rig as rig

WIDTH = 100


def shown(result: CheckResult) -> str:
    console = Console(file=StringIO(), width=WIDTH, force_terminal=False)
    console.print(make_table(result))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_each_check_has_a_row_with_verdict_and_reason() -> None:
    """The table has every finding with its verdict and its reason."""
    text = shown(rig.check(rig.scenario(rig.overtaking()), rig.scenario(findings=(rig.finding(Verdict.UNPROVED),))))
    assert "order" in text
    assert "30 high requests overtook low ones" in text
    assert "UNPROVED  because" in text


def test_a_skipped_scenario_has_a_row_with_the_reason() -> None:
    """A skipped scenario has a row with the reason."""
    assert "skipped" in shown(rig.check(skipped={"drain": "not ours"}))
    assert "not ours" in shown(rig.check(skipped={"drain": "not ours"}))


def test_the_waits_of_both_priorities_are_there() -> None:
    """A line for each scenario has the waits of high and low."""
    traces = [rig.trace("a", "high", 0.0, 0.25), rig.trace("b", "low", 0.0, 2.0)]
    text = shown(rig.check(rig.scenario(traces)))
    assert "saturation: median wait high 250 ms, low 2 s; p95 high 250 ms, low 2 s" in text


def test_long_reasons_are_folded_and_nothing_is_cut() -> None:
    """The table fits a terminal of 100 columns, and has every word of a reason."""
    reason = " ".join(f"word{index}" for index in range(60))
    text = shown(rig.check(rig.scenario(findings=(rig.finding(Verdict.VIOLATED, reason=reason),))))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert all(word in text.split() for word in reason.split())


def test_brackets_are_text() -> None:
    """Texts of a run are never interpreted as markup."""
    assert "[bold]not bold[/]" in shown(
        rig.check(rig.scenario(findings=(rig.finding(Verdict.PROVED, reason="[bold]not bold[/]"),)))
    )
