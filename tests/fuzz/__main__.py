"""Sends random request heads and paths: `python -m tests.fuzz --minutes 60 --seed 1`.

Each case goes to the gateway, and to uvicorn, nginx and HAProxy. No request may get a higher priority than that of the
path as a server reads it, skip the queue, or be read in two ways. The exit code is 0 if nothing was found.
"""

import logging
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tests.acceptance.fidelity.contenders import NotInstalled
from tests.fuzz.corpus import read_corpus
from tests.fuzz.run import Systems, fuzz, summary

_FOUND, _COULD_NOT_RUN = 1, 2
_MIN_ARRIVED_SHARE = 0.1


def main(
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.0, help="How long to try random cases, after the corpus.")
    ] = 10.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same cases.")] = 1,
) -> None:
    """Send random heads and paths: exit code 0 if nothing was found, 1 if something was, 2 if it could not run."""
    logging.disable(logging.CRITICAL)  # the gateway would log a line for each refused case
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, ExitStack() as parts:
        try:
            systems = Systems.start(parts, Path(folder))
        except NotInstalled as why:
            _print_line(f"could not run: {why}")
            raise typer.Exit(_COULD_NOT_RUN) from None
        record = fuzz(systems, read_corpus(), seed, minutes * 60, _print_line)
    _print_line(f"seed {seed}: {summary(record)}")
    if record.arrived < record.cases * _MIN_ARRIVED_SHARE:
        _print_line("could not run: too few requests arrived to compare anything")
        raise typer.Exit(_COULD_NOT_RUN)
    raise typer.Exit(_FOUND if record.found else 0)


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
