"""The check as a user runs it."""

import json
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from fast_priority.local.child_processes import ChildProcess
from tests.forked_processes import forked
from tests.harness import Run

SLOTS = 4
ONE_SCENARIO = ("--scenario", "burst", "--seconds", "6")
# Stops a check that hangs; no test waits for it.
_PATIENCE_SECONDS = 110


def check(folder: Path, *arguments: str, run: Run = forked) -> tuple[int, dict[str, Any]]:
    """Run a check, by `running` as a user does; return its exit code and its results."""
    options = ("--slots", str(SLOTS), "--out", str(folder), *arguments)
    if "--url" in arguments:
        options += ("--patience-seconds", "60")  # a busy machine starts several at once
    child = ChildProcess("check", ("-m", "loadtests", "check", *options), {})
    said = folder / "said"
    with said.open("wb") as output, run(child, output) as process:
        try:
            code = process.wait(_PATIENCE_SECONDS)
        except TimeoutExpired:
            process.terminate()  # it stops what it has started
            code = process.wait()
    results = folder / "results.json"
    assert results.exists(), said.read_text()
    return code, json.loads(results.read_text())
