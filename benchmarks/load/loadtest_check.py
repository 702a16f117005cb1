"""Runs `fast-priority loadtest check`, as a user would, and reads its results.json."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.support import running_program
from fast_priority.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The results of one check."""

    exit_code: int
    verdict: str
    scenarios: list[dict[str, Any]]

    def total(self, count: str) -> int:
        """Return a count of the order, such as "inversions", summed over the scenarios."""
        counts: list[int] = [scenario["order"][count] for scenario in self.scenarios]
        return sum(counts)

    @property
    def tightest_tolerance_ms(self) -> float:
        """Return the longest of the scenarios' tightest tolerances."""
        tolerances: list[float] = [scenario["order"]["tightest_tolerance_seconds"] for scenario in self.scenarios]
        return 1000 * max(tolerances)


def run_loadtest_check(*arguments: str) -> CheckResult:
    """Run a check with these arguments. Raises ConfigurationError if it ends without results."""
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        command = [sys.executable, "-m", "loadtests", "check", *arguments, "--out", folder]
        with running_program(command, subprocess.DEVNULL, errors=None) as process:
            status = process.wait()
        results = Path(folder) / "results.json"
        if not results.exists():
            raise ConfigurationError(f"`{' '.join(command)}` ended with exit status {status} and without results")
        fields: dict[str, Any] = json.loads(results.read_text())
    return CheckResult(fields["exit_code"], fields["verdict"], fields["scenarios"])
