"""The size of a run. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunSize:
    """How much each part sends, how often and how long. Each field is an option of the command."""

    transfer_mebibytes: int = 1024
    rounds: int = 3
    streams: int = 200
    events: int = 50
    event_interval_seconds: float = 0.1
    slow_bytes: int = 200_000_000
    slow_seconds: float = 20.0
    waiting: int = 1000
    waiting_kibibytes: int = 1024
    judge_speed: bool = True


FULL = RunSize()
QUICK = RunSize(
    transfer_mebibytes=128, rounds=1, streams=20, events=6, event_interval_seconds=0.5, slow_seconds=3.0, waiting=100,
    judge_speed=False,
)  # fmt: skip
