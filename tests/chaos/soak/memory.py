"""The memory of each process, from its warm-up to its end."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

WARM_UP_SECONDS = 60.0
# In a shorter life a leak cannot be told from the warm-up.
_LONG_SECONDS = 300.0
_MIB = 1024 * 1024
_MAX_GROWTH = 1.2
_MAX_EXTRA_MIB = 10.0
_JUDGED = ("gateway", "worker")


@dataclass(slots=True)
class ProcessMemory:
    """The resident memory of one process, in MiB, over the time that it was sampled."""

    role: str
    began: float
    warm_mib: float
    last_mib: float
    last_seen: float

    @property
    def seconds(self) -> float:
        """Return for how many seconds the process was sampled."""
        return self.last_seen - self.began

    @property
    def is_judged(self) -> bool:
        """Return whether it is one of our processes, and lived long enough to judge."""
        return self.role.startswith(_JUDGED) and self.seconds >= _LONG_SECONDS

    @property
    def is_flat(self) -> bool:
        """Return whether it has hardly grown since its warm-up."""
        return self.last_mib <= self.warm_mib * _MAX_GROWTH + _MAX_EXTRA_MIB


class Memory:
    """Samples the memory of processes."""

    def __init__(self) -> None:
        self.lives: dict[int, ProcessMemory] = {}

    def sample(self, roles: Mapping[int, str]) -> None:
        """Sample all processes that live now."""
        now = time.monotonic()
        for pid, role in roles.items():
            with suppress(psutil.NoSuchProcess):
                mib = psutil.Process(pid).memory_info().rss / _MIB
                life = self.lives.setdefault(pid, ProcessMemory(role, now, mib, mib, now))
                life.last_mib, life.last_seen = mib, now
                if life.seconds <= WARM_UP_SECONDS:
                    life.warm_mib = mib
