"""Processes of a stack, forked from one that has imported the program already.

To import all of it takes a second of processor time, and the tests start a thousand processes. A forked one runs the
same `python -m ...` otherwise: its arguments, its environment, its output and its session are its own. What it starts
with `child_processes`, as `standalone` and a check do, is forked from it in the same way. What is read while modules
are imported (RQ_KEY_PREFIX) and what `ps` shows are those of the first process: tests of these use
`child_processes.running`. Each way to start a program is executed in test_ways_to_run.py, and the commands of README.md
in test_documented_commands.py.
"""

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any, cast

import psutil
from coverage import Coverage

from fast_priority.local import child_processes
from fast_priority.local.child_processes import ChildProcess, running
from fast_priority.support.parent_death import ending_with_this_process

_IMPORTED = ["tests.imported_by_forks"]
_context = get_context("forkserver")
_context.set_forkserver_preload(_IMPORTED)
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ForkedProcess:
    """A forked process, with what the tests use of `subprocess.Popen`."""

    def __init__(self, process: BaseProcess, arguments: tuple[str, ...]) -> None:
        assert process.pid is not None
        self.pid: int = process.pid
        self.args = arguments
        self._process = process

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None until it was seen that the process has ended."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the process has ended. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        if (status := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it is known that the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


@contextmanager
def forked(child: ChildProcess, output: IO[Any]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process while the block lasts, then kill it and all that it has started.

    `output` is a file with a name. A process that a test ends by itself may end in order; nothing is proven by an
    orderly end of all others, and they would take a second or two each.
    """
    if Coverage.current() is not None:  # it measures processes that are executed, and end in order
        with running(child, output) as executed:
            yield executed
        return
    environment = {**os.environ, **child.environment}
    process = _context.Process(target=_run, args=(child.arguments, environment, output.name))
    process.start()
    forked_process = ForkedProcess(process, child.arguments)
    try:
        yield cast("subprocess.Popen[bytes]", forked_process)
    finally:
        _kill_with_descendants(forked_process.pid)
        forked_process.wait()
        process.close()


def _kill_with_descendants(pid: int) -> None:
    # Not by process group: rq's work horses, and the processes of `standalone`, have groups of their own.
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        for process in [first, *first.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _run(arguments: tuple[str, ...], environment: dict[str, str], output_path: str) -> None:
    vars(child_processes)["_started"] = _fork_child
    with Path(output_path).open("ab") as output:
        _become(arguments, environment, output.fileno())


def _fork_child(child: ChildProcess, output: IO[Any] | int | None) -> "subprocess.Popen[bytes]":
    """Start a child process of a fork, in place of executing it. Beside `pass_fds` it has all files of its parent."""
    environment = {**os.environ, **child.environment}
    output_fd = output if output is None or isinstance(output, int) else output.fileno()
    arguments = (child.arguments, environment, output_fd, ending_with_this_process())
    process = get_context("fork").Process(target=_run_child, args=arguments)
    process.start()
    return cast("subprocess.Popen[bytes]", ForkedProcess(process, child.arguments))


def _run_child(
    arguments: tuple[str, ...], environment: dict[str, str], output_fd: int | None, prepare: Callable[[], None] | None
) -> None:
    for number in _HANDLED:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if prepare is not None:
        prepare()
    _become(arguments, environment, output_fd)


def _become(arguments: tuple[str, ...], environment: dict[str, str], output_fd: int | None) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if output_fd is not None:
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
    if arguments[0] == "-m":
        sys.argv = [*arguments[1:]]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [*arguments]
        runpy.run_path(arguments[0], run_name="__main__")
