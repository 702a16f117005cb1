"""`fast-priority demo`, as a user starts it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fast_priority.local.child_processes import wait_until

REPOSITORY = Path(__file__).parents[2]
# Stops a test that hangs; no test waits for it.
PATIENCE_SECONDS = 60

# A gateway without priorities: the demo must find that high requests overtake none.
DEMO_WITHOUT_PRIORITIES = """
import sys
from loadtests.demo import run_demo, stack
stack.LOW_PATHS = ""
sys.exit(run_demo(seconds=3, slots=4))
"""


def demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "FAST_PRIORITY_PRIO_BASE_PATHS": "orders", "FAST_PRIORITY_HEALTH_PATH": "/elsewhere"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_the_demo_shows_high_overtaking_low() -> None:
    """A short demo, not on a terminal, ends with 0 and a summary of both priorities, whatever the environment sets."""
    done = demo("-m", "fast_priority", "demo", "--seconds", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.partition("Stopping them")[2]
    assert "  high " in summary
    assert "  low " in summary
    assert "PASSED, 0 inversions" in summary
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_the_demo_finds_out_a_gateway_without_priorities() -> None:
    """The same traffic through a gateway with only one queue ends with 1, and names requests served too early."""
    done = demo("-c", DEMO_WITHOUT_PRIORITIES)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout
    assert "low-" in done.stdout


@contextmanager
def demo_in_full_flow() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "fast_priority", "demo", "--seconds", "60"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "slots taken" in line:
                break
        yield process
    finally:
        if process.poll() is None:
            # Not killed: it would leave its child processes behind.
            process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def descendants(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = {pid}
    while more := {child for child, parent in pairs if parent in found} - found:
        found |= more
    return found - {pid}


def runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM during the traffic ends the demo and all processes that it started, with one sentence."""
    with demo_in_full_flow() as process:
        parts = descendants(process.pid)
        assert len(parts) >= 3  # Redis, target, gateway
        process.send_signal(number)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + number
    assert "Interrupted" in said
    assert "Traceback" not in said
    wait_until("all parts have ended", lambda: not any(map(runs, parts)))
