"""What scenarios observed, one JSON object a line, for the failure table."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE_VARIABLE = "CHAOS_OBSERVATIONS"
"""The environment variable that names the file for observations. Unset: nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One request in one scenario.

    `seconds` from sending to the end of the response; `attempts` at the target; `worker` is "ours" or "stock".
    """

    fault: str
    stage: str
    scenario: str
    promise: str
    worker: str
    method: str
    outcome: str
    seconds: float
    attempts: int

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Observation":
        """Return the observation that this JSON object holds."""
        return cls(**record)


@dataclass(frozen=True, slots=True)
class LoadObservation:
    """The load during one scenario: how many requests, and how they ended."""

    fault: str
    scenario: str
    requests: int
    outcomes: str


def record(observation: Observation | LoadObservation) -> None:
    """Append an observation to the file that the environment names, if it names one."""
    wanted = os.environ.get(FILE_VARIABLE)
    if wanted:
        line = json.dumps(asdict(observation)) + "\n"
        # One write in append mode: test processes that run at once do not mix their lines.
        with Path(wanted).open("ab", buffering=0) as file:
            file.write(line.encode())


def read_observations(path: Path) -> list[Observation]:
    """Return all requests that were recorded, in the order of recording."""
    return [Observation.from_dict(line) for line in _lines(path) if "stage" in line]


def read_loads(path: Path) -> list[LoadObservation]:
    """Return all loads that were recorded, in the order of recording."""
    return [LoadObservation(**line) for line in _lines(path) if "stage" not in line]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
