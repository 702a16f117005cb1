"""Settings of the queues: which request goes where, how long it may wait, and how many may wait."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, field_validator

from fast_priority.scheduling.level_table import LevelLimits
from fast_priority.scheduling.path_forms import PathCase
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Listing, Rules
from fast_priority.scheduling.rules_in_words import rules_in_words
from fast_priority.settings.environment import PATH_LISTS
from fast_priority.settings.field import SWITCH, TextList, count, setting, split
from fast_priority.settings.path_texts import check_paths

_MOST_QUEUED = 1_000_000
_QUEUED_OF_OTHERS = 10_000
Made = TypeVar("Made")


class QueueSettings(BaseModel):
    """The queues, and the rules that choose one for a request."""

    high_prio_paths: Listing = setting(
        Listing.UNLISTED,
        "Which paths are high. unlisted: all that are not in your lists. listed: only those in your lists.",
        "listed or unlisted; the paths themselves stand in PRIO_PATHS and PRIO_BASE_PATHS",
    )
    prio_paths: TextList = setting(
        (),
        "Your list of exact paths. They are low, or high with HIGH_PRIO_PATHS=listed.",
        "comma-separated paths, such as orders,users/me",
    )
    prio_base_paths: TextList = setting(
        (),
        "Your list of beginnings of paths. Paths that begin so are low, or high with HIGH_PRIO_PATHS=listed.",
        "comma-separated beginnings of paths, such as reports,v1/batch; reports/ is a whole segment",
    )
    pass_through: TextList = setting(
        ("health/",),
        "Paths that skip the queue: exactly these.",
        "comma-separated paths, such as health/,version; a comma alone for none",
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

    @field_validator(*PATH_LISTS, mode="before")
    @classmethod
    def _are_paths(cls, value: Any) -> Any:
        written = split(value)
        if isinstance(value, str):
            check_paths(value.strip(), written)
        return written

    @field_validator("high_prio_paths", "path_case", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        lowered = value.strip().lower() if isinstance(value, str) else value
        return lowered if lowered in {*Listing, *PathCase} else value

    def limits_of_levels(self) -> tuple[dict[str, LevelLimits], LevelLimits]:
        """Return the limits of high and low, and those of every other level."""
        limits: dict[str, LevelLimits] = {
            Priority.HIGH: LevelLimits(self.max_queued_high, self.ttl),
            Priority.LOW: LevelLimits(self.max_queued_low, self.ttl),
        }
        return limits, LevelLimits(_QUEUED_OF_OTHERS, self.ttl)

    @property
    def rules(self) -> Rules:
        """The rules that turn a path into a priority."""
        return self._of_paths(Rules.of)

    @property
    def rules_in_words(self) -> str:
        """Which paths are high, low and without a queue, for a reader."""
        return self._of_paths(rules_in_words)

    def _of_paths(self, make: Callable[..., Made]) -> Made:
        return make(
            self.high_prio_paths,
            self.prio_paths,
            self.prio_base_paths,
            self.pass_through,
            ignore_outer_slashes=self.normalize_paths,
            case=self.path_case,
        )
