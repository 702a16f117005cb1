"""Settings of those who forward queued requests: workers, and the slots of a gateway; and how they keep in touch."""

import math
import re
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, field_validator

from fast_priority.settings.environment import variables_of
from fast_priority.settings.field import count, setting

_MEANS_NO = {"false", "no", "off", "none", "null"}
_MOST_PROCESSES = 512
_LEAST_POLL_SECONDS, _MOST_POLL_SECONDS = 0.05, 60.0


class WorkerSettings(BaseModel):
    """Who works on the queues, and what passes between them and a gateway."""

    frames_in_flight: int = count(
        6, "Parts of one body, of at most 512 KiB each, that may be on their way through Redis at the same time.", 1024
    )
    poll_interval: float = setting(
        1.0,
        "Interval in seconds at which a gateway looks for lost requests. Responses are pushed; they need no interval.",
        "a number of seconds from 0.05 to 60",
        ge=_LEAST_POLL_SECONDS,
        le=_MOST_POLL_SECONDS,
    )
    workers: str | None = Field(
        None,
        validation_alias=AliasChoices(*variables_of("workers")),
        description="If it is set, run workers instead of a gateway. A number: that many worker processes.",
        json_schema_extra={
            "takes": "a whole number from 1 to 512, or any word for one process; unset it for a gateway"
        },
    )
    slots: int = setting(
        0,
        "Slots of a gateway process itself: queued requests that it forwards at the same time, without a worker.",
        "a whole number from 0 to 1024; 0 leaves all queued requests to workers",
        ge=0,
        le=1024,
    )
    worker_concurrency: int = count(
        1, "Slots of each worker process: requests that it forwards at the same time.", 1024
    )

    @field_validator("poll_interval", mode="before")
    @classmethod
    def _clamp(cls, value: Any) -> Any:
        return clamped_poll_interval(value)

    @field_validator("workers")
    @classmethod
    def _is_a_count(cls, value: str | None) -> str | None:
        number = whole_number(value)
        if number is not None and not 1 <= number <= _MOST_PROCESSES:
            raise ValueError(f"the number of worker processes is 1 to {_MOST_PROCESSES}")
        if value is not None and means_no(value):
            raise ValueError("any value of this variable starts workers")
        return value

    @property
    def runs_as_worker(self) -> bool:
        """Whether the environment asks for workers rather than for a gateway."""
        return self.workers is not None

    @property
    def sets_workers(self) -> bool:
        """Whether the number of the workers is set, or that of their slots."""
        return not self.model_fields_set.isdisjoint({"workers", "worker_concurrency"})

    @property
    def workers_as_text(self) -> str:
        """The worker processes and their slots, for a reader."""
        processes, slots = self.worker_processes, self.worker_concurrency
        return f"{counted(processes, 'worker process', 'worker processes')} with {counted(slots, 'slot', 'slots')} each"

    @property
    def gateway_as_text(self) -> str:
        """A gateway with its slots, for a reader."""
        slots = counted(self.slots, "slot", "slots") if self.slots else "no slots (workers forward its queued requests)"
        return f"gateway with {slots}"

    @property
    def worker_processes(self) -> int:
        """How many worker processes to start: at least 1."""
        return whole_number(self.workers) or 1


def means_no(text: str) -> bool:
    """Return whether a text looks as if no workers were meant."""
    return text.strip().lower() in _MEANS_NO


def whole_number(text: str | None) -> int | None:
    """Return the whole number that a text is, else None."""
    return int(text) if text is not None and re.fullmatch(r"\s*[+-]?[0-9]{1,4000}\s*", text) else None


def clamped_poll_interval(value: Any) -> Any:
    """Return the nearest number of seconds in the range of the setting; what is not a number is returned as it is."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return value
    return value if math.isnan(seconds) else min(max(seconds, _LEAST_POLL_SECONDS), _MOST_POLL_SECONDS)


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun: that for one, or that for several."""
    return f"{number} {one if number == 1 else many}"
