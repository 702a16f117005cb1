"""The size and the shape of a stack that the check starts: which of its processes have slots. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from fast_priority.errors import ConfigurationError
from fast_priority.local.shape import divided


class StackShape(StrEnum):
    """Who has the slots: worker processes, the gateways themselves, or some each."""

    WORKERS = "workers"
    SLOTS = "slots"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class StackSize:
    """The size of a stack that the check starts. `worker_processes` counts only where workers have slots."""

    slots: int = 4
    worker_processes: int = 1
    gateways: int = 1
    high_path: str = "/high"
    low_path: str = "/low"
    shape: StackShape = StackShape.WORKERS

    def __post_init__(self) -> None:
        for name, value in (("slots", self.slots), ("workers", self.worker_processes), ("gateways", self.gateways)):
            if value < 1:
                raise ConfigurationError(f"--{name} is {value}; use 1 or more")
        if self.high_path.strip("/") == self.low_path.strip("/"):
            raise ConfigurationError(f"--high-path and --low-path are both {self.low_path}: use two different paths")
        if self.slots < self._fewest_slots:
            than = {
                StackShape.WORKERS: f"--workers {self.worker_processes}",
                StackShape.SLOTS: f"--gateways {self.gateways}",
                StackShape.MIXED: f"--workers {self.worker_processes} and --gateways {self.gateways} together",
            }
            raise ConfigurationError(
                f"--slots {self.slots} is less than {than[self.shape]}: with --shape {self.shape}, each has a slot"
            )

    @property
    def slots_of_gateways(self) -> tuple[int, ...]:
        """The slots of each gateway: none, all, or half of them, divided as equally as possible."""
        if self.shape is StackShape.WORKERS:
            return (0,) * self.gateways
        half = min(max(self.slots // 2, self.gateways), self.slots - self.worker_processes)
        return divided(self.slots if self.shape is StackShape.SLOTS else half, self.gateways)

    @property
    def processes_by_slots(self) -> dict[int, int]:
        """Number of worker processes by their slots, divided as equally as possible; empty if none run."""
        slots = self.slots - sum(self.slots_of_gateways)
        if not slots:
            return {}
        shares = divided(slots, self.worker_processes)
        return {share: shares.count(share) for share in dict.fromkeys(shares)}

    @property
    def as_text(self) -> str:
        """The processes of the gateway and the workers, for a reader."""
        own = sum(self.slots_of_gateways)
        gateway = f"gateway with {own} of {self.slots} slots" if own else "gateway"
        return f"{gateway} and workers" if own < self.slots else gateway

    @property
    def _fewest_slots(self) -> int:
        workers = 0 if self.shape is StackShape.SLOTS else self.worker_processes
        return workers + (0 if self.shape is StackShape.WORKERS else self.gateways)
