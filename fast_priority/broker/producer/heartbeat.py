"""The sign of life of a gateway. With it, the gateway reads Redis's clock and the identity of the deployment."""

import asyncio
import time

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import Command, RedisHealth
from fast_priority.broker.producer.deployment_id import agree_on_identity
from fast_priority.http.via import Deployment
from fast_priority.protocol.wire_version import WIRE_VERSION

_SECONDS = 3.0


class Heartbeat:
    """Renews the sign of life of one gateway every 3 s. Each submit renews it as well."""

    def __init__(self, redis: Redis, gateway_id: str, health: RedisHealth, deployment: Deployment) -> None:
        self._redis = redis
        self._key = keys.gateway(gateway_id)
        self._health = health
        self._deployment = deployment
        self.lives_until = time.monotonic() + times.GATEWAY_TTL_SECONDS  # there are no requests yet to give up
        """Until when workers take this gateway for alive, at least, by `time.monotonic`."""

    async def beat_once(self) -> None:
        """Renew the sign of life once, and wait for 3 s. Raises what redis-py raises."""
        # Redis carries out EXPIRE also without memory. The register of queues is for rq's tools only, so its errors
        # (no memory, or a key of the wrong type) do not matter.
        steps: list[Command] = [
            ("TIME",), ("EXPIRE", self._key, times.GATEWAY_TTL_SECONDS), ("SADD", keys.QUEUES, *keys.LANES.queues)
        ]  # fmt: skip
        asked_at = time.monotonic()
        clock, exists, _ = await scripts.run_together(self._redis, steps)
        self._health.note_clock(clock, asked_at)
        if not exists:
            await self._redis.set(self._key, WIRE_VERSION, ex=times.GATEWAY_TTL_SECONDS)
        self.lives_until = asked_at + times.GATEWAY_TTL_SECONDS
        await agree_on_identity(self._redis, self._deployment)
        await asyncio.sleep(_SECONDS)
