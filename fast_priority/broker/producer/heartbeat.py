"""A gateway's sign of life, with a look at Redis's clock and at the name of the deployment."""

import asyncio
import time

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import Command, RedisHealth
from fast_priority.broker.producer.deployment_id import agree_on_identity
from fast_priority.http.via import Deployment

_SECONDS = 3.0


class Heartbeat:
    """Shows Redis every 3 s that one gateway lives; every submit shows it as well."""

    def __init__(self, redis: Redis, gateway_id: str, health: RedisHealth, deployment: Deployment) -> None:
        self._redis = redis
        self._key = keys.gateway(gateway_id)
        self._health = health
        self._deployment = deployment
        self.lives_until = time.monotonic() + keys.GATEWAY_TTL_SECONDS  # there is nothing yet that could be given up
        """Until when workers take this gateway for alive, at the least, by `time.monotonic`."""

    async def beat_once(self) -> None:
        """Show it once, and wait for 3 s. Raises what redis-py raises."""
        # EXPIRE is carried out even by a Redis that is out of memory. What becomes of rq's register, with no memory or
        # as a key of another type, concerns rq's tools alone.
        steps: list[Command] = [
            ("TIME",), ("EXPIRE", self._key, keys.GATEWAY_TTL_SECONDS), ("SADD", keys.QUEUES, *keys.LANES)
        ]  # fmt: skip
        asked_at = time.monotonic()
        clock, is_known, _ = await scripts.run_together(self._redis, steps)
        self._health.note_clock(clock, asked_at)
        if not is_known:
            await self._redis.set(self._key, "1", ex=keys.GATEWAY_TTL_SECONDS)
        self.lives_until = asked_at + keys.GATEWAY_TTL_SECONDS
        await agree_on_identity(self._redis, self._deployment)
        await asyncio.sleep(_SECONDS)
