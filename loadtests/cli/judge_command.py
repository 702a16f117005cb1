"""`loadtest judge`: records that somebody else has made."""

from pathlib import Path
from typing import Annotated

import typer

from fast_priority.errors import ConfigurationError
from loadtests.cli.exit_codes import failing_in_lines
from loadtests.cli.options import Tolerance
from loadtests.oracle import DEFAULT_TOLERANCE_SECONDS, judge_run, worst
from loadtests.records import RecordError, join, read_arrivals, read_sent
from loadtests.scenarios import Scenario

_EVIDENCE_SHOWN = 20
# What can be judged of requests that somebody else has sent.
_RECORDS = Scenario("records", "requests that somebody else has sent", (), ("order", "saturated", "limit", "once"))


def judge(
    sent: Annotated[Path, typer.Option("--sent", help="NDJSON: request_id, priority, sent_at, ended_at, outcome.")],
    arrivals: Annotated[Path, typer.Option("--arrivals", help="NDJSON: request_id, arrived_at, finished_at, status.")],
    slots: Annotated[int, typer.Option("--slots", min=1, help="Most requests that the gateway lets through at once.")],
    tolerance_seconds: Tolerance = DEFAULT_TOLERANCE_SECONDS,
) -> None:
    """Judge the order in records of your own: what clients sent, and what arrived at an API of yours.

    One JSON object a line, times in unix seconds; priority is high or low, outcome answered, failed or left.

    \b
    fast-priority loadtest judge --sent sent.ndjson --arrivals arrivals.ndjson --slots 8
    """
    with failing_in_lines():
        try:
            passages = join(read_sent(sent), read_arrivals(arrivals))
        except RecordError as error:
            raise ConfigurationError(str(error)) from error
        findings = judge_run(_RECORDS, passages, slots=slots, tolerance_seconds=tolerance_seconds).findings
        for finding in findings:
            typer.echo(f"{finding.verdict.name:<9} {finding.check:<10} {finding.reason}")
            for line in finding.evidence[:_EVIDENCE_SHOWN]:
                typer.echo(f"          {line}")
            if len(finding.evidence) > _EVIDENCE_SHOWN:
                typer.echo(f"          ... and {len(finding.evidence) - _EVIDENCE_SHOWN} more like these")
    raise typer.Exit(worst(finding.verdict for finding in findings).exit_code)
