"""The levels in force at one Redis, as one gateway knows them: its own, those that it has adopted, or another's."""

import logging
from typing import Any, Protocol

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.known_lanes import KnownLanes, levels_in
from fast_priority.scheduling.level_table import FixedTable, LevelTable
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings

logger = logging.getLogger(__name__)

_LOOKS_WITHOUT_LEVELS = 3  # a gateway that waits for others lets those begin that have only lost their Redis


class TableSource(Protocol):
    """Has the levels of a gateway; `FixedTable` is one, and so are files that are read again when they change."""

    @property
    def table(self) -> LevelTable:
        """The levels, and the limits of each as they are now."""
        ...


class LevelsInForce:
    """What one gateway knows of the levels in force, and what it does about them. It has no connection to Redis.

    The gateway holds its own levels, unless another one has taken over since: then it adopts those. A gateway that has
    never held levels and finds others is not ready, and `problem` says why. Requests of a level that is not in force
    wait at the next less important one that is. `source` has the levels of the gateway and their limits, which may
    change; the levels do not.
    """

    def __init__(self, source: TableSource, *, takes_over: bool = False) -> None:
        self._source = source
        self._held = self.in_force = source.table.levels
        self.lanes = KnownLanes(self.in_force)
        """The lanes that are served."""
        self._change = 0
        self._has_held = False
        self._takes_over = takes_over
        self._looks_without = 0
        self.problem: str | None = None
        """Why this gateway is not ready, in words; None if the levels in force are its own, or adopted."""

    @classmethod
    def of(cls, settings: Settings) -> "LevelsInForce":
        """Return the levels of these settings, which do not change. Raises ConfigurationError."""
        return cls(FixedTable(settings.level_table()), takes_over=settings.policy_change)

    def __repr__(self) -> str:
        return f"<LevelsInForce {_shown(self.in_force)}, held {_shown(self._held)}, change {self._change}>"

    @property
    def names(self) -> str:
        """The names of the levels that this gateway holds, as the scripts take them."""
        return " ".join(self._held)

    @property
    def change(self) -> int:
        """The number of the last change that this gateway knows."""
        return self._change

    @property
    def are_held(self) -> bool:
        """Whether the levels in force are those that this gateway holds, as far as it knows."""
        return self._has_held and self.problem is None

    def place(self, level: Priority) -> Priority:
        """Return the level at which a request of this level waits now."""
        return self._source.table.place_of(level, self.in_force)

    def limits(self) -> list[int]:
        """Return the most requests that may wait, for each of the lanes."""
        table = self._source.table
        return [table.limits_of(level).max_queued for level in self.lanes.current.priorities]

    def ttl_seconds(self, level: Priority) -> int:
        """Return how long a request of this level may wait."""
        return self._source.table.limits_of(level).ttl_seconds

    def call(self) -> scripts.LevelsCall:
        """Return the call that keeps the levels in force, and finds out which are."""
        lanes = self.lanes.current
        return scripts.LevelsCall(
            queue_keys=lanes.queues,
            started_keys=lanes.started,
            levels=self.names,
            change=self._change,
            takes_over=self._takes_over,
            may_begin=self.problem is None or self._looks_without >= _LOOKS_WITHOUT_LEVELS,
            lanes=lanes.names,
        )

    def note(self, answer: Any) -> None:
        """Act on the answer to the call. An error, or what cannot be levels, changes nothing."""
        if isinstance(answer, Exception):
            return
        in_force, served, change = answer
        if not in_force:
            self._looks_without += 1
            return
        levels = levels_in(in_force, times.MOST_LEVELS)
        if len(levels) < 2:
            return
        self._looks_without = 0
        self._takes_over = False
        if levels != self._held and self._has_held and change > self._change:
            logger.warning(
                "the levels %s are in force now: a gateway with FAST_PRIORITY_POLICY_CHANGE=1 has taken over, and this "
                "one, with %s, adopts them",
                _shown(levels),
                _shown(self._source.table.levels),
            )
            self._held = levels
        self._note_in_force(levels, served, change)

    def _note_in_force(self, levels: tuple[Priority, ...], served: bytes, change: int) -> None:
        self.in_force = levels
        self.lanes.note(served)
        if not set(levels) <= set(self.lanes.current.priorities):
            self.lanes.current = keys.lanes_of(levels)  # the note is broken
        if levels == self._held:
            if self.problem is not None:
                logger.info("levels %s are in force now, those of this gateway: it is ready", _shown(levels))
            self._has_held, self._change, self.problem = True, change, None
            return
        problem = (
            f"the levels in force are {_shown(levels)}, and those of this gateway are {_shown(self._held)}: "
            "let all gateways have the same, or start this one with FAST_PRIORITY_POLICY_CHANGE=1, and it takes over"
        )
        if problem != self.problem:
            logger.error("not ready: %s", problem)
        self.problem = problem


def _shown(levels: tuple[Priority, ...]) -> str:
    return ",".join(levels)
