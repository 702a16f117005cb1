"""The result of a soak, as tables for a person and as JSON for a program."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.load.plan import Done
from tests.chaos.soak.judging import Finding, count_outcomes, judge
from tests.chaos.soak.running import Record
from tests.chaos.soak.stack import SoakStack
from tests.chaos.soak.windows import Window


def find_all(record: Record, stack: SoakStack) -> list[Finding]:
    """Return a finding for each promise: from the records, from Redis at the end, and from memory."""
    judged = [life for life in record.memory.lives.values() if life.is_judged]
    grown = [f"{life.role}: {life.warm_mib:.0f} to {life.last_mib:.0f} MiB" for life in judged if not life.is_flat]
    left = record.keys_after if len(record.keys_after) > record.keys_at_rest else []
    without_end = record.keys_without_end
    return [
        *judge(record.done, record.arrivals, [*record.windows, *record.stalls], stack.deaths),
        Finding("the log of arrivals is complete", not record.lost_arrivals, f"{record.lost_arrivals} lost"),
        Finding("Redis holds no more keys than at rest", not left, _keys_seen(record), tuple(left)),
        Finding(
            "no key is left that would never expire", not without_end, f"{len(without_end)} keys", tuple(without_end)
        ),
        Finding("memory is flat", not grown, f"{len(judged)} processes of 5 minutes or more", tuple(grown)),
    ]


def show(console: Console, record: Record, findings: list[Finding]) -> None:
    """Print the results."""
    console.print(
        f"requests were sent at most {record.latest_seconds:.2f} s later than planned; "
        f"Redis was slow {len(record.stalls)} times, during faults or not; "
        f"sending paused for {record.held_back_seconds:.0f} s while too many requests were in flight"
    )
    console.print(_by_window(record))
    console.print(_memory(record))
    console.print(_findings(findings))


def write_json(path: Path, seed: int, record: Record, findings: list[Finding]) -> None:
    """Write the results as JSON."""
    windows = [asdict(window) | {"outcomes": count_outcomes(_inside(record, window))} for window in record.windows]
    document: dict[str, Any] = {
        "seed": seed,
        "requests": len(record.done),
        "sent_at_most_later_seconds": record.latest_seconds,
        "outcomes": count_outcomes(record.done),
        "windows": windows,
        "memory": [asdict(life) for life in record.memory.lives.values()],
        "findings": [asdict(finding) for finding in findings],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _keys_seen(record: Record) -> str:
    return f"{record.keys_at_rest} at rest, {len(record.keys_after)} at the end"


def _by_window(record: Record) -> Table:
    table = Table(title=f"{len(record.done):,} requests, {len(record.windows)} faults", title_justify="left")
    for column in ("fault", "lasted"):
        table.add_column(column, no_wrap=True)
    table.add_column("requests in flight until the fault had settled, and how they ended")
    for window in record.windows:
        table.add_row(window.name, f"{window.over_at - window.began_at:.1f} s", _describe(_inside(record, window)))
    inside = {one.plan.request_id for window in record.windows for one in _inside(record, window)}
    table.add_row("none", "", _describe([one for one in record.done if one.plan.request_id not in inside]))
    return table


def _inside(record: Record, window: Window) -> list[Done]:
    return [one for one in record.done if window.touches(one.sent_at, one.ended_at)]


def _describe(done: list[Done]) -> str:
    counts: Counter[str] = count_outcomes(done)
    return ", ".join(f"{outcome}: {count:,}" for outcome, count in counts.most_common())


def _memory(record: Record) -> Table:
    table = Table(title="Memory", title_justify="left")
    for column in ("process", "pid", "sampled for", "warm", "at the end"):
        table.add_column(column)
    for pid, life in sorted(record.memory.lives.items(), key=lambda item: (item[1].role, item[1].began)):
        table.add_row(
            life.role, str(pid), f"{life.seconds:.0f} s", f"{life.warm_mib:.0f} MiB", f"{life.last_mib:.0f} MiB"
        )
    return table


def _findings(findings: list[Finding]) -> Table:
    table = Table(title="Promises", title_justify="left")
    for column in ("", "promise", "observed"):
        table.add_column(column)
    for finding in findings:
        mark = "[green]kept[/]" if finding.kept else "[bold red]BROKEN[/]"
        table.add_row(mark, finding.promise, "\n".join((finding.seen, *finding.broken_by)))
    return table
