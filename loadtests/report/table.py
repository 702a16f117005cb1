"""The results of a check as a table for the terminal: a row for each scenario and check, then the waits. Pure."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadtests.metrics import PRIORITIES, format_seconds, summarise
from loadtests.oracle import CheckResult, ScenarioResult, Verdict

_COLOURS = {Verdict.PROVED: "green", Verdict.VIOLATED: "bold red", Verdict.UNPROVED: "yellow"}


def make_table(result: CheckResult) -> RenderableType:
    """Return the table for rich, in 100 columns: every verdict with its reason, the waits, and the overall verdict."""
    verdicts = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    verdicts.add_column("scenario", no_wrap=True)
    verdicts.add_column("check", no_wrap=True)
    verdicts.add_column("verdict", no_wrap=True)
    verdicts.add_column("reason", overflow="fold", ratio=1)
    for scenario in result.scenarios:
        for index, finding in enumerate(scenario.findings):
            # Text, not strings: rich would interpret brackets as markup.
            heading = Text("" if index else scenario.name, style="bold")
            verdicts.add_row(heading, Text(finding.check), _show(finding.verdict), Text(finding.reason))
    for name, reason in result.skipped.items():
        verdicts.add_row(Text(name, style="bold"), Text(""), Text("skipped", style="dim"), Text(reason))
    waits = [Text(_describe_waits(scenario)) for scenario in result.scenarios]
    whole = Text.assemble(_show(result.verdict), f"  {result.url}")
    return Group(verdicts, Text(""), *waits, Text(""), whole)


def _show(verdict: Verdict) -> Text:
    return Text(verdict.name, style=_COLOURS[verdict])


def _describe_waits(scenario: ScenarioResult) -> str:
    high, low = (summarise(scenario.traces, priority) for priority in PRIORITIES)
    median = f"median wait high {format_seconds(high.median_seconds)}, low {format_seconds(low.median_seconds)}"
    return (
        f"{scenario.name}: {median}; p95 high {format_seconds(high.p95_seconds)}, low {format_seconds(low.p95_seconds)}"
    )
