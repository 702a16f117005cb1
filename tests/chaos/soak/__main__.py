"""Injects every fault at random, under load: `python -m tests.chaos.soak --minutes 30 --seed 1`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.chaos.redis_clock import clock_unavailable_reason
from tests.chaos.soak.report import find_all, show, write_json
from tests.chaos.soak.running import REQUESTS_PER_SECOND, soak
from tests.chaos.soak.stack import SLOTS, Shape, SoakStack


def main(
    minutes: Annotated[float, typer.Option("--minutes", min=0.5, help="How long to inject faults.")] = 30.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same faults and requests.")] = 1,
    shape: Annotated[Shape, typer.Option("--shape", help="Where the slots are.")] = Shape.WORKERS,
    out: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write the result as JSON to this file.")
    ] = None,
    logs: Annotated[
        Path | None, typer.Option("--logs", file_okay=False, help="Keep the logs of all processes in this folder.")
    ] = None,
) -> None:
    """Inject faults into a whole stack under load. The exit code is 0 if every promise was kept, else 1."""
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        kept_in = logs or Path(folder)
        kept_in.mkdir(parents=True, exist_ok=True)
        with SoakStack(kept_in, shape) as stack:
            console.print(
                f"seed {seed}, {minutes:g} minutes, {REQUESTS_PER_SECOND:g} requests a second on {SLOTS} slots of "
                f"{shape.value}"
            )
            if clock_unavailable_reason():
                console.print(f"faults of the clock are left out: {clock_unavailable_reason()}")
            record = asyncio.run(soak(stack, seed, minutes * 60, lambda text: console.print(text, markup=False)))
            findings = find_all(record, stack)
    show(console, record, findings)
    if out is not None:
        write_json(out, seed, record, findings)
    raise typer.Exit(0 if all(finding.kept for finding in findings) else 1)


if __name__ == "__main__":
    typer.run(main)
