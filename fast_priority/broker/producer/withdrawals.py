"""Requests that a gateway takes back: from their queues, or from the workers that have started them."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Literal

from redis.asyncio import Redis

from fast_priority.broker import scripts
from fast_priority.broker.connection import CONNECTION_ERRORS, Batcher
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.broker.producer.submission import NEVER_QUEUED
from fast_priority.broker.scripts import WithdrawnRequest
from fast_priority.protocol.frames import Cancel, Frame, encode
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.scheduling.priority import Priority
from fast_priority.support.background import Background

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 64
_ATTEMPTS = 60
_AGAIN_SECONDS = 1.0
_LAST_SECONDS = 2.0
_MOST_RUNNING = 1000

Outcome = Literal["withdrawn", "started", "gone"]


class Withdrawals:
    """Takes requests of one gateway back. Those of one event-loop turn share a round trip."""

    def __init__(self, redis: Redis, lanes: KnownLanes) -> None:
        self._lanes = lanes
        self._redis = redis
        self._batches: Batcher[WithdrawnRequest, Outcome] = Batcher(self._withdraw_all, _MOST_AT_ONCE)
        self._running = Background()

    async def close(self) -> None:
        """Wait up to 2 s for the withdrawals that are running, then cancel them."""
        await self._running.close(_LAST_SECONDS)

    async def withdraw_unstarted(self, job_id: str, priority: Priority) -> bool:
        """Remove a request from its queue, unless a worker has started it. Return whether it is certainly removed."""
        try:
            return await self._batches.ask(WithdrawnRequest(job_id, priority.value, b"")) == "withdrawn"
        except CONNECTION_ERRORS:
            return False  # unknown while Redis is away: a worker may have started it, and may still answer

    def begin(self, job_id: str, priority: Priority, submit: "asyncio.Future[Any]") -> None:
        """Take a request back in the background, queued or started, after its `submit` has an outcome.

        Redis may carry out a submit whose answer was lost, now or when it is back.
        """
        self._running.run(self._withdraw(job_id, priority, submit))

    def begin_unknown(self, job_id: str) -> None:
        """Take back, once, a request that a worker holds and this gateway does not know. The worker repeats its Go."""
        if len(self._running) < _MOST_RUNNING:  # a hostile writer to Redis can name any number of requests
            self._running.run(self._withdraw_unknown(job_id))

    async def _withdraw_unknown(self, job_id: str) -> None:
        any_lane = self._lanes.current.names[0]  # a worker holds the request, so it is on no queue
        try:
            await self._batches.ask(WithdrawnRequest(job_id, any_lane, encode(Frame(job_id, Cancel(), WIRE_VERSION))))
        except CONNECTION_ERRORS as error:
            logger.debug("cannot withdraw the unknown request %s: %s", job_id, error)

    async def _withdraw(self, job_id: str, priority: Priority, submit: "asyncio.Future[Any]") -> None:
        await asyncio.wait([submit])  # a withdrawal that overtakes the submit would find no job
        outcome = "unknown" if submit.cancelled() or submit.exception() is not None else submit.result()
        if outcome in NEVER_QUEUED:
            return
        is_certain = outcome == "queued"
        withdrawal = WithdrawnRequest(job_id, priority.value, encode(Frame(job_id, Cancel(), WIRE_VERSION)))
        for _ in range(_ATTEMPTS):
            try:
                outcome = await self._batches.ask(withdrawal)
            except CONNECTION_ERRORS as error:
                logger.debug("cannot withdraw request %s, trying again: %s", job_id, error)
            else:
                if outcome != "gone" or is_certain:
                    return
                is_certain = True  # once more: a Redis that has just come back may still carry out the submit
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _withdraw_all(self, requests: Sequence[WithdrawnRequest]) -> Sequence[Outcome]:
        outcomes: list[bytes] = await scripts.WithdrawCall(
            queue_keys=self._lanes.current.queues,
            lanes=self._lanes.current.names,
            requests=requests,
        ).run(self._redis)
        return [outcome.decode() for outcome in outcomes]  # type: ignore[misc]
