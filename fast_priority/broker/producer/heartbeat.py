"""The sign of life of a gateway. With it, the gateway reads Redis's clock and the identity of the deployment.

It also keeps the levels of the gateway in force, or learns that others are.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from fast_priority.broker import keys, times
from fast_priority.broker.connection import Command, RedisHealth, send_together
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer.deployment_id import adopt_identity, identity_steps
from fast_priority.broker.scripts import run_together
from fast_priority.http.via import Deployment
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.support.elapsed import Moment

_SECONDS = 0.5
_NEXT_SIGN_SECONDS = 2.0


class Heartbeat:
    """Renews the sign of life of one gateway every 0.5 s. Each submit renews it as well."""

    def __init__(
        self, redis: Redis, gateway_id: str, health: RedisHealth, deployment: Deployment, levels: LevelsInForce
    ) -> None:
        self._redis = redis
        self._key = keys.gateway(gateway_id)
        self._health = health
        self._deployment = deployment
        self._levels = levels
        self._has_been_seen = False
        self._signed = asyncio.Event()
        self.last_sign = Moment.now()  # there are no requests yet to give up
        """When the last sign of life was sent that Redis has answered."""

    @property
    def has_lasted(self) -> bool:
        """Whether the last sign of life still lasts, so that no worker can have taken this gateway for gone."""
        return self.last_sign.elapsed_seconds() < times.GATEWAY_TTL_SECONDS

    async def next_sign(self) -> None:
        """Return when Redis has answered the next sign of life, but after 2 s at the latest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_NEXT_SIGN_SECONDS):
                await self._signed.wait()

    async def beat_once(self) -> None:
        """Renew the sign of life once, and wait for 0.5 s. Raises what redis-py raises."""
        # Redis carries out PEXPIRE also without memory. The register of queues is for rq's tools only, so its errors
        # (no memory, or a key of the wrong type) do not matter.
        ttl_ms = times.GATEWAY_TTL_MILLISECONDS
        steps: list[Command] = [
            ("TIME",), ("PEXPIRE", self._key, ttl_ms), ("SADD", keys.QUEUES, *self._levels.lanes.current.queues),
            *identity_steps(self._deployment),
        ]  # fmt: skip
        sent, asked_at = Moment.now(), time.monotonic()
        clock, exists, *_, written = await self._send(steps, needed=2)
        self._health.note_clock(clock, asked_at)
        if not exists:
            await self._send([("SET", self._key, WIRE_VERSION, "PX", ttl_ms)], needed=1)
            await self._wake_worker()
        self.last_sign, self._has_been_seen = sent, True
        self._signed.set()  # those that wait for it get it; later ones wait for the next
        self._signed = asyncio.Event()
        await adopt_identity(self._redis, self._deployment, written)
        self._levels.note((await run_together(self._redis, [self._levels.call()]))[0])
        await asyncio.sleep(_SECONDS)

    async def _wake_worker(self) -> None:
        """Let an idle worker claim: while the sign of life was missing, it may have passed over our requests."""
        if self._has_been_seen:
            await self._send(
                [("LPUSH", keys.WAKE_UP, "1"), ("EXPIRE", keys.WAKE_UP, times.WAKE_UP_TTL_SECONDS)], needed=0
            )

    async def _send(self, commands: list[Command], *, needed: int) -> list[Any]:
        """Send commands, and raise the error of the first `needed` of them."""
        answers = await send_together(self._redis, commands)
        for answer in answers[:needed]:
            if isinstance(answer, Exception):
                raise answer
        return answers
