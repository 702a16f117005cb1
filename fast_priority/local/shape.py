"""The shape of `standalone`: which processes it runs, and how many slots each of them has. Pure."""

from typing import NamedTuple

from fast_priority.errors import ConfigurationError
from fast_priority.settings import PREFIX, Settings, counted

DEFAULT_SLOTS = 1
"""The slots where none are set: the target gets one request at a time, as with one worker."""


class Shape(NamedTuple):
    """The processes of one `standalone`."""

    gateway_slots: tuple[int, ...]
    """The slots of each gateway process; 0 leaves all queued requests to workers."""
    worker_processes: int
    worker_concurrency: int
    has_default_slots: bool = False

    @property
    def as_text(self) -> str:
        """The processes and their slots, for a reader."""
        gateways, slots = len(self.gateway_slots), sum(self.gateway_slots)
        text = "gateway" if gateways == 1 else f"{gateways} gateway processes"
        if slots:
            text += f" with {counted(slots, 'slot', 'slots')}{'' if gateways == 1 else ' in all'}"
        if self.has_default_slots:
            text += " (the default; --slots N sets it)"
        if self.worker_processes:
            text += (
                f", {counted(self.worker_processes, 'worker process', 'worker processes')} "
                f"with {counted(self.worker_concurrency, 'slot', 'slots')} each"
            )
        return text


def shape_of(settings: Settings, gateway_processes: int) -> Shape:
    """Return the processes that these settings ask for.

    Workers run if their number or concurrency is set, or if the gateway is to have no slots. The gateway has slots if
    they are set, or if no workers run. Raises ConfigurationError for fewer slots than gateway processes.
    """
    sets_slots = "slots" in settings.model_fields_set
    runs_workers = settings.sets_workers or (sets_slots and not settings.slots)
    is_default = not sets_slots and not runs_workers
    slots = DEFAULT_SLOTS if is_default else settings.slots
    if 0 < slots < gateway_processes:
        raise ConfigurationError(
            f"--processes {gateway_processes} with {counted(slots, 'slot', 'slots')} leaves a process without any: set "
            f"--slots (or {PREFIX}SLOTS) to {gateway_processes} or more, or start fewer processes"
        )
    return Shape(
        gateway_slots=divided(slots, gateway_processes),
        worker_processes=settings.worker_processes if runs_workers else 0,
        worker_concurrency=settings.worker_concurrency,
        has_default_slots=is_default,
    )


def divided(slots: int, processes: int) -> tuple[int, ...]:
    """Return the slots of each process: as many in all, and no process has two more than another."""
    fewest, rest = divmod(slots, processes)
    return (fewest + 1,) * rest + (fewest,) * (processes - rest)
