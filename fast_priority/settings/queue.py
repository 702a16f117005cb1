"""Settings of the queues: which request goes where, how long it may wait, and how many workers there are."""

import re
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, field_validator

from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Listing, PathCase, Rules
from fast_priority.settings.environment import PATH_LISTS, variables_of
from fast_priority.settings.field import SWITCH, TextList, count, setting, split

_MEANS_NO = {"false", "no", "off", "none", "null"}
_MOST_PROCESSES = 512
_MOST_QUEUED = 1_000_000


class QueueSettings(BaseModel):
    """The queues and who works on them."""

    high_prio_paths: Listing = setting(
        Listing.UNLISTED,
        "Which paths are high. unlisted: all that are not in your lists. listed: only those in your lists.",
        "listed or unlisted",
    )
    prio_paths: TextList = setting(
        (),
        "Your list of exact paths. They are low, or high with HIGH_PRIO_PATHS=listed.",
        "comma-separated paths, such as orders,users/me",
    )
    prio_base_paths: TextList = setting(
        (),
        "Your list of beginnings of paths. Paths that begin so are low, or high with HIGH_PRIO_PATHS=listed.",
        "comma-separated beginnings of paths, such as reports,v1/batch",
    )
    pass_through: TextList = setting(
        ("health/",),
        "Paths that skip the queue: exactly these.",
        "comma-separated paths, such as health/,version; empty for none",
    )
    normalize_paths: bool = setting(
        True, "Whether slashes at the beginning and at the end of a path are ignored when paths are compared.", SWITCH
    )
    path_case: PathCase = setting(
        PathCase.EXACT,
        "exact: /Reports and /reports are two paths. ignore: they are one; for a target that ignores case.",
        "exact or ignore",
    )
    ttl: int = setting(
        300,
        "Time limit in seconds for a request in the queue.",
        "a whole number of seconds from 1 to 604800",
        ge=1,
        le=604_800,
    )
    max_queued_high: int = count(10_000, "Size limit of the high queue, in requests.", _MOST_QUEUED)
    max_queued_low: int = count(10_000, "Size limit of the low queue, in requests.", _MOST_QUEUED)
    frames_in_flight: int = count(
        6, "Parts of one body, of at most 512 KiB each, that may be on their way through Redis at the same time.", 1024
    )
    poll_interval: float = setting(
        1.0,
        "Interval in seconds at which a gateway looks for lost requests. Responses are pushed; they need no interval.",
        "a number of seconds from 0.05 to 60",
        ge=0.05,
        le=60,
    )
    workers: str | None = Field(
        None,
        validation_alias=AliasChoices(*variables_of("workers")),
        description="If it is set, run workers instead of a gateway. A number: that many worker processes.",
        json_schema_extra={
            "takes": "a whole number from 1 to 512, or any word for one process; unset it for a gateway"
        },
    )
    worker_concurrency: int = count(
        1, "Slots of each worker process: requests that it forwards at the same time.", 1024
    )

    @field_validator(*PATH_LISTS, mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return split(value)

    @field_validator("high_prio_paths", "path_case", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        lowered = value.strip().lower() if isinstance(value, str) else value
        return lowered if lowered in {*Listing, *PathCase} else value

    @field_validator("workers")
    @classmethod
    def _is_a_count(cls, value: str | None) -> str | None:
        number = _whole_number(value)
        if number is not None and not 1 <= number <= _MOST_PROCESSES:
            raise ValueError(f"the number of worker processes is 1 to {_MOST_PROCESSES}")
        if value is not None and value.strip().lower() in _MEANS_NO:
            raise ValueError("any value of this variable starts workers")
        return value

    @property
    def runs_as_worker(self) -> bool:
        """Whether the environment asks for workers rather than for a gateway."""
        return self.workers is not None

    @property
    def worker_processes(self) -> int:
        """How many worker processes to start: at least 1."""
        return _whole_number(self.workers) or 1

    @property
    def rules(self) -> Rules:
        """The rules that turn a path into a priority."""
        return Rules.of(
            self.high_prio_paths,
            self.prio_paths,
            self.prio_base_paths,
            self.pass_through,
            ignore_outer_slashes=self.normalize_paths,
            case=self.path_case,
        )

    def max_queued(self, priority: Priority) -> int:
        """Return the most requests that may wait on the queue of this priority."""
        limit: int = getattr(self, f"max_queued_{priority.value}")
        return limit


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\s*[+-]?[0-9]{1,4000}\s*", text) else None
