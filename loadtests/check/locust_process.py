"""Locust as a separate process: started, supervised, and its records read."""

import json
import os
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import last_lines
from loadtests import locustfile_path
from loadtests.check.drain import RestartStep
from loadtests.check.system_under_test import SystemUnderTest
from loadtests.records import SentRequest, read_sent
from loadtests.scenarios import Scenario, Sizing

_POLL_SECONDS = 0.1
# Locust needs some seconds to start, more on a busy machine.
_LONGER_SECONDS = 60.0
# The last requests of an open loop may be this late.
_STRAGGLERS_SECONDS = 0.5

ProgressCallback = Callable[[float, int], None]
"""Called with the seconds since the first request and the number of finished requests; may raise to end the run."""


def send(
    system: SystemUnderTest, scenario: Scenario, sizing: Sizing, on_progress: ProgressCallback
) -> tuple[tuple[SentRequest, ...], tuple[RestartStep, ...]]:
    """Run locust; return what it has sent, and the restarts done meanwhile.

    Raises ConfigurationError if locust fails, with its output, and RecordError if its record cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="loadtest-") as folder:
        record = Path(folder) / "sent.ndjson"
        record.touch()
        with (Path(folder) / "output").open("w+b") as output:
            with _locust(_arguments(system, scenario, sizing, record), folder, output) as process:
                steps = _supervise(process, record, sizing, _planned_steps(system, scenario, sizing), on_progress)
            if process.returncode != 0:
                reason = f"locust ended with exit status {process.returncode} in scenario {scenario.name}"
                raise ConfigurationError("\n".join([reason, *last_lines(output)]))
        return read_sent(record), steps


@contextmanager
def _locust(arguments: list[str], folder: str, output: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    # No locust.conf, here or in the home folder, and no variable for locust may change the run.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUST_", "LOADTEST_"))}
    process = subprocess.Popen(  # noqa: S603 - this interpreter, with arguments of this program
        [sys.executable, "-m", "locust", *arguments],
        cwd=folder,
        # Packages in the user's site folder are found through HOME unless the folder is named.
        env={**environment, "HOME": folder, "PYTHONUSERBASE": site.getuserbase()},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


PlannedStep = tuple[float, Callable[[], RestartStep]]


def _planned_steps(system: SystemUnderTest, scenario: Scenario, sizing: Sizing) -> list[PlannedStep]:
    """Return the planned restarts, with their time in seconds after the first request."""
    if system.drain is None or scenario.name != "drain":
        return []
    return [
        (sizing.seconds / 3, system.drain.restart_workers),
        # Only after the last request is sent: a gateway that ends refuses new connections.
        (sizing.seconds + _STRAGGLERS_SECONDS, system.drain.end_gateways),
    ]


def _supervise(
    process: "subprocess.Popen[bytes]",
    path: Path,
    sizing: Sizing,
    planned: list[PlannedStep],
    on_progress: ProgressCallback,
) -> tuple[RestartStep, ...]:
    """Wait until locust ends, and do the planned steps meanwhile."""
    at_most_seconds = sizing.seconds + sizing.grace_seconds + _LONGER_SECONDS
    deadline = time.monotonic() + at_most_seconds
    done: list[RestartStep] = []
    with path.open("rb") as file:
        record = _RecordTail(file)
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise ConfigurationError(f"locust did not end within {at_most_seconds:g} s")
            record.poll()
            elapsed_seconds = 0.0 if record.first_sent_at is None else time.time() - record.first_sent_at
            on_progress(elapsed_seconds, record.count)
            while len(done) < len(planned) and elapsed_seconds >= planned[len(done)][0]:
                done.append(planned[len(done)][1]())
            time.sleep(_POLL_SECONDS)
    return tuple(done)


class _RecordTail:
    """A record file that is still being written: the number of finished requests, and when the first was sent."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""
        self.count = 0
        self.first_sent_at: float | None = None

    def poll(self) -> None:
        """Read new lines."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        if lines and self.first_sent_at is None:
            self.first_sent_at = SentRequest.from_dict(json.loads(lines[0])).sent_at
        self.count += len(lines)


def _arguments(system: SystemUnderTest, scenario: Scenario, sizing: Sizing, record: Path) -> list[str]:
    options = {
        "-f": locustfile_path(),
        "--host": ",".join(system.urls),
        "--target-url": system.target_url,
        "--scenario": scenario.name,
        "--slots": sizing.slots,
        "--service-seconds": sizing.service_seconds,
        "--seconds": sizing.seconds,
        "--load": sizing.load,
        "--seed": sizing.seed,
        "--high-path": sizing.high_path,
        "--low-path": sizing.low_path,
        "--sent-file": record,
        "--loglevel": "WARNING",
    }
    return ["--headless", "--only-summary", *(str(word) for option in options.items() for word in option)]
