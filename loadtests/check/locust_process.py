"""Locust as a process of its own: started, accompanied, and its record read."""

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
from fast_priority.stack import last_lines
from loadtests import locustfile_path
from loadtests.check.drain import Step
from loadtests.check.system_under_test import Subject
from loadtests.records import Sent, read_sent
from loadtests.scenarios import Scenario, Sizing

_LOOK_SECONDS = 0.1
# Locust needs some seconds to start, on a busy machine many.
_LONGER_SECONDS = 60.0
# Open loops may be this late with their last requests.
_STRAGGLERS_SECONDS = 0.5

Watch = Callable[[float, int], None]
"""Is told now and then the seconds since the first request was sent, and how many have ended; may raise to end it."""


def send(
    subject: Subject, scenario: Scenario, sizing: Sizing, watch: Watch
) -> tuple[tuple[Sent, ...], tuple[Step, ...]]:
    """Have locust send; give what it has sent, and what was done to the subject meanwhile.

    Raises ConfigurationError if locust fails, with what it said, and RecordError if its record cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="loadtest-") as folder:
        record = Path(folder) / "sent.ndjson"
        record.touch()
        with (Path(folder) / "output").open("w+b") as output:
            with _locust(_arguments(subject, scenario, sizing, record), folder, output) as process:
                steps = _accompany(process, record, sizing, _planned_steps(subject, scenario, sizing), watch)
            if process.returncode != 0:
                reason = f"locust ended with exit status {process.returncode} in scenario {scenario.name}"
                raise ConfigurationError("\n".join([reason, *last_lines(output)]))
        return read_sent(record), steps


@contextmanager
def _locust(arguments: list[str], folder: str, output: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    # No locust.conf, be it here or in the home folder, and no variable for locust may change what is run.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUST_", "LOADTEST_"))}
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of ours
        [sys.executable, "-m", "locust", *arguments],
        cwd=folder,
        # What the user has installed for itself is found from the home folder unless it is named.
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


PlannedStep = tuple[float, Callable[[], Step]]


def _planned_steps(subject: Subject, scenario: Scenario, sizing: Sizing) -> list[PlannedStep]:
    """Give what is to be done to the subject, and how many seconds after the first request."""
    if subject.drain is None or scenario.name != "drain":
        return []
    return [
        (sizing.seconds / 3, subject.drain.restart_workers),
        # Only once nothing more is sent: a gateway that ends refuses new connections, and rightly.
        (sizing.seconds + _STRAGGLERS_SECONDS, subject.drain.end_gateways),
    ]


def _accompany(
    process: "subprocess.Popen[bytes]", path: Path, sizing: Sizing, planned: list[PlannedStep], watch: Watch
) -> tuple[Step, ...]:
    """Stay with locust until it ends, doing what is planned in its time."""
    at_most_seconds = sizing.seconds + sizing.grace_seconds + _LONGER_SECONDS
    deadline = time.monotonic() + at_most_seconds
    done: list[Step] = []
    with path.open("rb") as file:
        record = _GrowingRecord(file)
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise ConfigurationError(f"locust did not end within {at_most_seconds:g} s")
            record.read_on()
            elapsed_seconds = 0.0 if record.first_sent_at is None else time.time() - record.first_sent_at
            watch(elapsed_seconds, record.count)
            while len(done) < len(planned) and elapsed_seconds >= planned[len(done)][0]:
                done.append(planned[len(done)][1]())
            time.sleep(_LOOK_SECONDS)
    return tuple(done)


class _GrowingRecord:
    """What is known of a record while it is written: how many have ended, and when the first to end was sent."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""
        self.count = 0
        self.first_sent_at: float | None = None

    def read_on(self) -> None:
        """Take in what is new."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        if lines and self.first_sent_at is None:
            self.first_sent_at = Sent.from_dict(json.loads(lines[0])).sent_at
        self.count += len(lines)


def _arguments(subject: Subject, scenario: Scenario, sizing: Sizing, record: Path) -> list[str]:
    options = {
        "-f": locustfile_path(),
        "--host": ",".join(subject.urls),
        "--target-url": subject.target_url,
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
