"""Starts programs, and shows the end of their output if a benchmark fails."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fast_priority.local.child_processes import ChildProcess, stop

REPOSITORY = Path(__file__).parents[2]
_TAIL_BYTES = 3000


@contextmanager
def running_program(
    command: Sequence[str],
    output: IO[bytes] | int | None,
    *,
    errors: IO[bytes] | int | None = subprocess.STDOUT,
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program during the block; then stop it with all processes that it started.

    It inherits this process's environment and has `environment` besides. None for `output` or `errors`: it writes
    where this process does.
    """
    # A session of its own: Ctrl-C reaches this process only, which then stops the others in the right order.
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process)


def benchmark_process(name: str, command: str, *arguments: str) -> ChildProcess:
    """Return how to start `python -m benchmarks COMMAND ARGUMENTS`; `name` stands in error messages."""
    return ChildProcess(name, ("-m", "benchmarks", command, *arguments), {})


@contextmanager
def captured_output() -> Iterator[IO[bytes]]:
    """Provide a file for the output of processes; print its end on stderr if the block raises an error."""
    with tempfile.TemporaryFile() as output:
        try:
            yield output
        except Exception:
            with contextlib.suppress(OSError):
                output.seek(max(output.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
                sys.stderr.write(output.read().decode(errors="replace"))
            raise
