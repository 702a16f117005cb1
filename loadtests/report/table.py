"""The results of a check as a table for the terminal: a row for each scenario and check, then the waits. Pure."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadtests.metrics import PRIORITIES, say_seconds, summarise
from loadtests.oracle import CheckResult, ScenarioResult, Verdict

_COLOURS = {Verdict.PROVED: "green", Verdict.VIOLATED: "bold red", Verdict.UNPROVED: "yellow"}


def make_table(result: CheckResult) -> RenderableType:
    """Make what rich prints in 100 columns: every verdict with its reason, how long requests waited, and the whole."""
    verdicts = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    verdicts.add_column("scenario", no_wrap=True)
    verdicts.add_column("check", no_wrap=True)
    verdicts.add_column("verdict", no_wrap=True)
    verdicts.add_column("reason", overflow="fold", ratio=1)
    for scenario in result.scenarios:
        for index, finding in enumerate(scenario.findings):
            # Text, not strings: rich would take brackets in what a run said for its own markup.
            heading = Text("" if index else scenario.name, style="bold")
            verdicts.add_row(heading, Text(finding.check), _show(finding.verdict), Text(finding.reason))
    for name, reason in result.skipped.items():
        verdicts.add_row(Text(name, style="bold"), Text(""), Text("skipped", style="dim"), Text(reason))
    waits = [Text(_say_waits(scenario)) for scenario in result.scenarios]
    whole = Text.assemble(_show(result.verdict), f"  {result.url}")
    return Group(verdicts, Text(""), *waits, Text(""), whole)


def _show(verdict: Verdict) -> Text:
    return Text(verdict.name, style=_COLOURS[verdict])


def _say_waits(scenario: ScenarioResult) -> str:
    high, low = (summarise(scenario.passages, priority) for priority in PRIORITIES)
    return (
        f"{scenario.name}: median wait high {say_seconds(high.median_seconds)}, low {say_seconds(low.median_seconds)}; "
        f"p95 high {say_seconds(high.p95_seconds)}, low {say_seconds(low.p95_seconds)}"
    )
