"""The programs of the package as users type them, run beside a stack."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fast_priority.local.child_processes import ChildProcess
from tests.forked_processes import forked
from tests.harness import Stack, free_port

BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).parents[2]
_STOP_SECONDS = 20


@contextmanager
def program(stack: Stack, *command: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in the repository, as a user's shell does; end it with Ctrl-C."""
    log = stack.logs / f"{Path(command[0]).name}-{free_port()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_SECONDS)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


@contextmanager
def forked_program(stack: Stack, path: str, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program of ours, and what it starts, as forks, which need a tenth of the time; end it with Ctrl-C."""
    part = ChildProcess(Path(path).name, (path, *arguments), environment)
    with (stack.logs / f"{part.name}-{free_port()}.log").open("wb") as output, forked(part, output) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_STOP_SECONDS)
