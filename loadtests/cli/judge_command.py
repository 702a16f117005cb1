"""`loadtest judge`: judges existing records."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fast_priority.errors import ConfigurationError
from loadtests.cli.exit_codes import errors_to_exit_codes
from loadtests.cli.options import Tolerance
from loadtests.oracle import DEFAULT_TOLERANCE_SECONDS, judge_run, worst_verdict
from loadtests.records import LEVELS, RecordError, join_records, read_arrivals, read_sent
from loadtests.scenarios import Scenario

_EVIDENCE_SHOWN = 20
# What can be judged without a scenario.
_RECORDS = Scenario("records", "requests of existing records", (), ("order", "saturated", "limit", "once"))


def judge(
    sent: Annotated[Path, typer.Option("--sent", help="NDJSON: request_id, priority, sent_at, ended_at, outcome.")],
    arrivals: Annotated[Path, typer.Option("--arrivals", help="NDJSON: request_id, arrived_at, finished_at, status.")],
    slots: Annotated[int, typer.Option("--slots", min=1, help="Requests that the gateway forwards at once.")],
    tolerance_seconds: Tolerance = DEFAULT_TOLERANCE_SECONDS,
    levels: Annotated[
        str, typer.Option("--levels", metavar="NAMES", help="The levels of the gateway, the most important first.")
    ] = ",".join(LEVELS),
) -> None:
    """Judge the order in your own records: what clients sent, and what arrived at your API.

    One JSON object a line, times in unix seconds; priority is the name of a level, outcome answered, failed or left.

    \b
    fast-priority loadtest judge --sent sent.ndjson --arrivals arrivals.ndjson --slots 8
    fast-priority loadtest judge --sent sent.ndjson --arrivals arrivals.ndjson --slots 8 --levels high,normal,low
    """
    with errors_to_exit_codes():
        try:
            traces = join_records(read_sent(sent), read_arrivals(arrivals))
        except RecordError as error:
            raise ConfigurationError(str(error)) from error
        scenario = replace(_RECORDS, levels=tuple(name.strip() for name in levels.split(",")))
        try:
            findings = judge_run(scenario, traces, slots=slots, tolerance_seconds=tolerance_seconds).findings
        except ValueError as error:
            raise ConfigurationError(f"{error}: --levels names the levels, the most important first") from error
        for finding in findings:
            typer.echo(f"{finding.verdict.name:<9} {finding.check:<10} {finding.reason}")
            for line in finding.evidence[:_EVIDENCE_SHOWN]:
                typer.echo(f"          {line}")
            if len(finding.evidence) > _EVIDENCE_SHOWN:
                typer.echo(f"          ... and {len(finding.evidence) - _EVIDENCE_SHOWN} more like these")
    raise typer.Exit(worst_verdict(finding.verdict for finding in findings).exit_code)
