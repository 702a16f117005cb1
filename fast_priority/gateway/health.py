"""The health of the gateway, and of what it depends on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.monitor import QueueMonitor, QueueView
from fast_priority.gateway.policy_in_force import PolicyInForce
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority

TargetLook: TypeAlias = Callable[[], Awaitable[str | None]]
"""Returns why the target does not answer, in words; None if it does. It may take for ever."""

_MAX_AGE_SECONDS = 0.1  # many checks at the same time share one look at Redis, and one at the target
_WITHIN_SECONDS = 1.5  # for each of two checks at the same time, so that a health endpoint answers within 2 s

_NO_ANSWER = "it did not answer in time"


class QueueLengths(BaseModel):
    """How many requests wait, by level; null if Redis does not answer. A level that is set has a member of its own."""

    # The fields are a promise to those who read the JSON, so they stand here by name.
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int | None]

    high: int | None
    low: int | None


class Health(BaseModel):
    """The state of the gateway and of what it depends on."""

    status: Literal["ok", "degraded"] = Field(
        description="ok: target and Redis are reachable, Redis takes writes, a worker or a gateway with slots is alive"
    )
    target_reachable: bool = Field(
        description="whether the target accepts connections, or answers the probe if there is one"
    )
    target_problem: str | None = Field(description="why it does not, in words; null if it does")
    redis_reachable: bool = Field(description="whether Redis answers")
    redis_writable: bool = Field(description="whether Redis takes writes; if not, requests get 503")
    redis_problem: str | None = Field(description="what is wrong with Redis, in words; null if nothing is")
    queue: QueueLengths
    in_flight: int | None = Field(description="requests that workers, and gateways with slots, forward now")
    workers: int | None = Field(description="live worker processes, and live gateways with slots")
    slots: int | None = Field(description="how many queued requests they forward at the same time at most")
    suspended: bool | None = Field(description="whether the workers are suspended by `rq suspend`")
    policy: str | None = Field(
        description="which rules and keys are in force: the same for equal files; null without any"
    )
    warnings: list[str] = Field(description="what is wrong and does not stop the service, a sentence each")


class Liveness(BaseModel):
    """Whether the process runs: it does if it answers."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether a request that comes now is forwarded: Redis takes writes, a worker or a gateway with slots lives.

    A gateway whose levels are not in force is not ready either.
    """

    ready: bool
    reasons: list[str] = Field(description="what is missing, in words")


class HealthChecks:
    """Answers the health endpoints. `look_at_target` looks at the target; checks at the same time share a look.

    `in_force` has the rules and keys; None if there are none. `levels` are those of the gateway.
    """

    def __init__(
        self,
        look_at_target: TargetLook,
        monitor: QueueMonitor,
        in_force: PolicyInForce | None = None,
        levels: LevelsInForce | None = None,
    ) -> None:
        self._levels = levels
        self._in_force = in_force
        self._target_look = look_at_target
        self._monitor = monitor
        self._looking: asyncio.Task[str | None] | None = None
        self._looked_at = float("-inf")

    async def health(self) -> Health:
        """Check target and Redis at the same time, and return what was found."""
        target_problem, view = await asyncio.gather(self._problem_of_target(), self._look())
        problem = self._problem(view)
        return Health(
            status="ok" if target_problem is None and view and view.workers and not problem else "degraded",
            target_reachable=target_problem is None,
            target_problem=target_problem,
            redis_reachable=view is not None,
            redis_writable=problem is None,
            redis_problem=problem,
            queue=_lengths(view, self._names),
            in_flight=view.started if view else None,
            workers=view.workers if view else None,
            slots=view.slots if view else None,
            suspended=view.suspended if view else None,
            policy=self._in_force.digest if self._in_force else None,
            warnings=[*_warnings(view), *self._warnings_about_policy(), *self._reasons_of_levels()],
        )

    async def readiness(self, *, is_ending: bool) -> Readiness:
        """Return whether requests are forwarded. The health of the target does not count: without it they get a 502."""
        view = await self._look()
        reasons = ["the gateway ends: send it no more requests"] if is_ending else []
        if problem := self._problem(view):
            reasons.append(f"{problem}: requests get 503")
        reasons += self._reasons_of_levels()
        if view is None:
            return Readiness(ready=False, reasons=reasons)
        if not view.workers:
            only = f", but for {view.foreign_workers} that only fail (see `warnings` in health)"
            reasons.append(
                f"no worker is alive{only if view.foreign_workers else ''}: "
                "requests wait until one starts, or a gateway with FAST_PRIORITY_SLOTS, or their TTL ends"
            )
        elif view.suspended:
            reasons.append("the workers are suspended: run `rq resume`")
        return Readiness(ready=not reasons, reasons=reasons)

    @property
    def _names(self) -> tuple[Priority, ...]:
        return DEFAULT_LEVELS if self._levels is None else self._levels.lanes.current.priorities

    def _reasons_of_levels(self) -> list[str]:
        problem = self._levels.problem if self._levels else None
        return [] if problem is None else [problem]

    async def _problem_of_target(self) -> str | None:
        """Return why the target does not answer, by a look that is in progress, or began at most 0.1 s ago."""
        now = time.monotonic()
        if self._looking is None or (self._looking.done() and self._looked_at < now - _MAX_AGE_SECONDS):
            self._looked_at = now
            self._looking = asyncio.create_task(self._look_at_target())
        # A check whose client leaves does not end the look of the others.
        return await asyncio.shield(self._looking)

    async def _look_at_target(self) -> str | None:
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                return await self._target_look()
        except TimeoutError:
            return _NO_ANSWER

    def _warnings_about_policy(self) -> list[str]:
        warning = self._in_force.warning if self._in_force else None
        return [] if warning is None else [warning]

    def _problem(self, view: QueueView | None) -> str | None:
        """Return what is wrong with Redis; None if nothing is."""
        return self._monitor.problem or ("Redis does not answer" if view is None else None)

    async def _look(self) -> QueueView | None:
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                return await self._monitor.view(_MAX_AGE_SECONDS)
        except TimeoutError:
            return None


def _lengths(view: QueueView | None, levels: Iterable[Priority] = DEFAULT_LEVELS) -> QueueLengths:
    waiting = view.waiting if view else {}
    # The model puts high and low first, wherever they stand among the levels.
    missing = None if view is None else 0
    return QueueLengths.model_validate({level: waiting.get(level, missing) for level in (*DEFAULT_LEVELS, *levels)})


def _warnings(view: QueueView | None) -> list[str]:
    """Return what is wrong and does not stop the service."""
    if view is None:
        return []
    return [*view.warnings, *([view.server.warning] if view.server.warning is not None else [])]
