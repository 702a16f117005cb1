"""The check as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SLOTS = 4
ONE_SCENARIO = ("--scenario", "burst", "--seconds", "6")
# Stops a check that hangs; no test waits for it.
_PATIENCE_SECONDS = 110


def check(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a check as a user does; return its exit code and its results."""
    options = ("--slots", str(SLOTS), "--out", str(folder), *arguments)
    if "--url" in arguments:
        options += ("--patience-seconds", "60")  # a busy machine starts several at once
    command = [sys.executable, "-m", "loadtests", "check", *options]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()  # it stops what it has started
            said, _ = process.communicate()
    results = folder / "results.json"
    assert results.exists(), said
    return process.returncode, json.loads(results.read_text())
