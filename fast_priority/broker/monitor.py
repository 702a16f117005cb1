"""What can be seen of the queues from outside: how much waits, who works."""

from typing import NamedTuple

from redis.asyncio import Redis

from fast_priority.broker import keys
from fast_priority.broker.connection import CONNECTION_ERRORS, connect, redis_options
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings


class QueueView(NamedTuple):
    """One look at the queues."""

    waiting: dict[Priority, int]
    """Requests that wait, by priority."""
    started: int
    """Requests that a worker has in flight."""
    workers: int
    """Live worker processes, stock rq workers included."""
    slots: int
    """The most requests that the target sees at once: one for each stock worker, its concurrency for each of ours."""
    suspended: bool
    """Whether `rq suspend` holds the workers back."""


class Observer:
    """Looks at the queues when asked. May be used as an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._redis: Redis = connect(redis_options(settings))

    async def __aenter__(self) -> "Observer":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def look(self) -> QueueView | None:
        """Give what there is to see, or None when Redis does not answer."""
        try:
            return await self._look()
        except CONNECTION_ERRORS:
            return None

    async def _look(self) -> QueueView:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for priority in Priority:
                pipeline.llen(keys.queue(priority))
                pipeline.zcard(keys.started(priority.value))
                pipeline.smembers(keys.workers_of(priority.value))
            pipeline.exists(keys.SUSPENDED)
            *answers, suspended = await pipeline.execute()
        per_queue = {priority: answers[3 * index : 3 * index + 3] for index, priority in enumerate(Priority)}
        worker_keys = sorted(set().union(*(row[2] for row in per_queue.values())))
        slots = await self._slots(worker_keys)
        return QueueView(
            waiting={priority: row[0] for priority, row in per_queue.items()},
            started=sum(row[1] for row in per_queue.values()),
            workers=len(slots),
            slots=sum(slots),
            suspended=bool(suspended),
        )

    async def _slots(self, worker_keys: list[bytes]) -> list[int]:
        if not worker_keys:
            return []
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in worker_keys:
                pipeline.hmget(key, "birth", "death", "slots")
            rows = await pipeline.execute()
        return [int(slots) if slots and slots.isdigit() else 1 for birth, death, slots in rows if birth and not death]
