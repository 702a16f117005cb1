"""When a client that was refused should try again, by how fast the workers empty the queues."""

import asyncio
import logging
import random
import time

from redis.asyncio import Redis

from fast_priority.broker import keys
from fast_priority.broker.connection import CONNECTION_ERRORS, connect, redis_options
from fast_priority.scheduling.drain_rate import DrainRate, retry_after_seconds
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all, keep_doing

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_JITTER = 0.2
_COUNTS = ("successful_job_count", "failed_job_count")


class Forecast:
    """Looks every 2 s at what all workers have ended, for all gateways, and at what waits.

    A refusal so costs no look of its own. Use it as an async context manager.
    """

    def __init__(self, settings: Settings) -> None:
        self._redis: Redis = connect(redis_options(settings))
        self._rate = DrainRate()
        self._waiting = dict.fromkeys(Priority, 0)
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Forecast":
        self._looking = asyncio.create_task(
            keep_doing(
                "cannot look how fast the queues are emptied",
                self._look_and_wait,
                expected=CONNECTION_ERRORS,
                again_seconds=_LOOK_SECONDS,
                logger=logger,
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            await end_all([self._looking])
        await self._redis.aclose()

    def retry_after_seconds(self, priority: Priority = Priority.LOW) -> int:
        """Give the seconds, 1 to 60, until what waits now, before a request of this priority, has likely been served.

        No two clients need be told the same: it is up to a fifth less or more.
        """
        ahead = self._waiting[Priority.HIGH] + (self._waiting[Priority.LOW] if priority is Priority.LOW else 0)
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - nobody gains by guessing it
        return retry_after_seconds(ahead, self._rate.per_second(), jitter)

    async def look(self) -> None:
        """Look now. Raises what a Redis that is away raises."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for priority in Priority:
                pipeline.llen(keys.queue(priority))
                pipeline.smembers(keys.workers_of(priority.value))
            answers = await pipeline.execute()
        self._waiting = dict(zip(Priority, answers[::2], strict=True))
        workers = sorted(set().union(*answers[1::2]))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for worker in workers:
                pipeline.hmget(worker, *_COUNTS)
            rows = await pipeline.execute() if workers else []
        ended = {worker.decode(): sum(map(_count, row)) for worker, row in zip(workers, rows, strict=True)}
        self._rate.note(ended, time.monotonic())

    async def _look_and_wait(self) -> None:
        await self.look()
        await asyncio.sleep(_LOOK_SECONDS)


def _count(written: bytes | None) -> int:
    return int(written) if written is not None and written.isdigit() else 0
