"""The trouble of one process with its Redis: one outage in the log, whichever tasks notice it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from fast_priority.broker.connection.clients import CONNECTION_ERRORS
from fast_priority.broker.connection.problems import Problem, problem_of
from fast_priority.support.background import keep_doing
from fast_priority.support.outage_log import OutageLog

_REMIND_SECONDS = 60.0
_MOST_REASONS = 8  # each is a line at once, and a server may make up new ones
CALM_SECONDS = 5.0
"""An outage is over when tasks have succeeded, and none has failed, for so long.

The slowest task notices a failure that lasts every 3 s.
"""


class RedisOutage:
    """What the tasks of one process notice about a Redis that is away, or refuses writes.

    A Redis in trouble answers one task and refuses another, or is away and back in turns. All of that is one outage: a
    line when it begins, one a minute while it lasts, and one when all has succeeded for 5 s. A reason that the outage
    has not had before is a line at once: what begins as a lost connection may be a refused login.
    """

    def __init__(self, logger: logging.Logger, subject: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._log = OutageLog(f"{subject}trouble with Redis", logger, clock, _REMIND_SECONDS)
        self._logger = logger
        self._subject = subject
        self._clock = clock
        self._well_since: float | None = None
        """When a task succeeded for the first time after the last failure."""
        self._last: Problem | None = None
        self._reasons: set[str] = set()
        self._refusals: dict[str, tuple[float, Problem]] = {}  # by task: when it was refused last, and why

    @property
    def problem(self) -> str | None:
        """What is wrong, in words; None if nothing is."""
        return self._last.words if self._last is not None else None

    @property
    def refusal(self) -> str | None:
        """Why Redis refuses what a task needs now, in words; None if it does not, or does not answer at all."""
        earliest = self._clock() - CALM_SECONDS
        return next((why.words for refused_at, why in self._refusals.values() if refused_at >= earliest), None)

    def of(self, what: str) -> "TaskOutage":
        """Return the outage as one task notices it; `what` is what the task cannot do then."""
        return TaskOutage(self, what)

    def keep_doing(self, what: str, step: Callable[[], Awaitable[None]], again_seconds: float) -> "asyncio.Task[None]":
        """Return a task that does one step after the other until it is cancelled, and notes here when Redis fails it.

        `what` is what cannot be done then. After a failure it waits `again_seconds`.
        """
        return asyncio.create_task(
            keep_doing(
                f"{self._subject}{what}",
                step,
                expected=CONNECTION_ERRORS,
                again_seconds=again_seconds,
                logger=self._logger,
                outage=self.of(what),
            )
        )

    def failure(self, what: str, error: BaseException) -> None:
        """Note that a task has failed with this error of redis-py."""
        now, problem = self._clock(), problem_of(error)
        self._well_since, self._last = None, problem
        if problem.is_refusal:
            self._refusals[what] = now, problem
        else:
            self._refusals.pop(what, None)
        is_new = problem.words not in self._reasons and len(self._reasons) < _MOST_REASONS
        if is_new:
            self._reasons.add(problem.words)
        self._log.failure(f"{problem.words}; {what}: {error}", at_once=is_new)

    def note_write(self) -> None:
        """Note that Redis has taken a write: no other task needs to find out that it takes writes again."""
        self._refusals = {what: (at, why) for what, (at, why) in self._refusals.items() if not why.stops_all_writes}

    def recovered(self, what: str) -> None:
        """Note that a task has succeeded. The outage is over if nothing but that has happened for 5 s.

        The 5 s begin with a success: a process that stood still has only not noticed that the trouble lasts.
        """
        self._refusals.pop(what, None)
        if self._last is None:
            return
        now = self._clock()
        self._well_since = self._well_since if self._well_since is not None else now
        if now - self._well_since >= CALM_SECONDS:
            self._last = None
            self._refusals.clear()
            self._reasons.clear()
            self._log.recovered()


class TaskOutage:
    """The outage as one task notices it."""

    def __init__(self, outage: RedisOutage, what: str) -> None:
        self._outage = outage
        self._what = what

    def failure(self, error: BaseException) -> None:
        """Note that the task has failed with this error of redis-py."""
        self._outage.failure(self._what, error)

    def recovered(self) -> None:
        """Note that the task has succeeded."""
        self._outage.recovered(self._what)
