"""The levels of one gateway: their order, and for each how many requests may wait, and for how long. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fast_priority.scheduling.priority import Priority


class LevelLimits(NamedTuple):
    """How many requests of a level may wait, and for how many seconds."""

    max_queued: int
    ttl_seconds: int


class LevelTable(NamedTuple):
    """The levels, the most important first, with the limits of each. Another level has the limits `of_others`."""

    levels: tuple[Priority, ...]
    limits: Mapping[str, LevelLimits]
    of_others: LevelLimits

    def limits_of(self, level: str) -> LevelLimits:
        """Return the limits of a level."""
        return self.limits.get(level, self.of_others)

    @property
    def longest_ttl_seconds(self) -> int:
        """The longest time that a request of any level may wait."""
        return max(self.limits_of(level).ttl_seconds for level in self.levels)

    def place_of(self, level: Priority, in_force: Sequence[Priority]) -> Priority:
        """Return the level among those in force for a request of `level`: that, or else the next less important one.

        If none is less important, the last one in force.
        """
        if level in in_force:
            return level
        behind = self.levels[self.levels.index(level) + 1 :] if level in self.levels else ()
        return next((other for other in behind if other in in_force), in_force[-1])


class FixedTable(NamedTuple):
    """A table that stays as it is."""

    table: LevelTable
