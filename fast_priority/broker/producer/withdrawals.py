"""Requests taken back: off their queues, or, if a worker has started them, out of its hands."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import CONNECTION_ERRORS, Argument, Batcher
from fast_priority.broker.producer.submit_outbox import NEVER_QUEUED
from fast_priority.protocol.frames import Cancel, Frame, encode
from fast_priority.scheduling.priority import Priority
from fast_priority.support.background import end_all

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 64
_ATTEMPTS = 60
_AGAIN_SECONDS = 1.0
_LAST_SECONDS = 2.0
_MOST_UNDER_WAY = 1000

Outcome = Literal["withdrawn", "started", "gone"]


class _Withdrawal(NamedTuple):
    job_id: str
    priority: Priority
    farewell: bytes  # what a worker is told that has started it; nothing if empty


class Withdrawals:
    """Takes the requests of one gateway back; those of one event-loop turn share a round trip."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._batches: Batcher[_Withdrawal, Outcome] = Batcher(self._withdraw_all, _MOST_AT_ONCE)
        # A task that nothing refers to may be collected before it has run.
        self._under_way: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Give what is under way a last moment."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_LAST_SECONDS)
            await end_all(self._under_way)

    async def withdraw_unstarted(self, job_id: str, priority: Priority) -> bool:
        """Take a request off its queue, unless a worker has started it; tells whether it is off for sure."""
        try:
            return await self._batches.ask(_Withdrawal(job_id, priority, b"")) == "withdrawn"
        except CONNECTION_ERRORS:
            return False  # nobody can tell while Redis is away; a worker may have it, and answer yet

    def begin(self, job_id: str, priority: Priority, submit: "asyncio.Future[Any]") -> None:
        """Take a request back in the background, wherever it is, once `submit` has its outcome.

        A submit whose answer was lost can have been carried out, now or when Redis is back.
        """
        task = asyncio.create_task(self._withdraw(job_id, priority, submit))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def begin_unknown(self, job_id: str) -> None:
        """Withdraw, once, a request that this gateway does not know and a worker holds. The worker repeats its Go."""
        if len(self._under_way) >= _MOST_UNDER_WAY:  # a hostile writer to Redis can name any number of them
            return
        task = asyncio.create_task(self._withdraw_unknown(job_id))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _withdraw_unknown(self, job_id: str) -> None:
        try:
            await self._batches.ask(_Withdrawal(job_id, Priority.HIGH, encode(Frame(job_id, Cancel()))))
        except CONNECTION_ERRORS as error:
            logger.debug("cannot withdraw an unknown request: %s", error)

    async def _withdraw(self, job_id: str, priority: Priority, submit: "asyncio.Future[Any]") -> None:
        await asyncio.wait([submit])  # a withdrawal that overtook its submit would find nothing
        outcome = "unknown" if submit.cancelled() or submit.exception() is not None else submit.result()
        if outcome in NEVER_QUEUED:
            return
        is_certain = outcome == "queued"
        withdrawal = _Withdrawal(job_id, priority, encode(Frame(job_id, Cancel())))
        for _ in range(_ATTEMPTS):
            try:
                outcome = await self._batches.ask(withdrawal)
            except CONNECTION_ERRORS as error:
                logger.debug("cannot withdraw a request, trying again: %s", error)
            else:
                if outcome != "gone" or is_certain:
                    return
                is_certain = True  # once more: a Redis that has just come back may still carry the submit out
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _withdraw_all(self, withdrawals: Sequence[_Withdrawal]) -> Sequence[Outcome]:
        arguments: list[Argument] = [
            keys.JOB_PREFIX, keys.INBOX_PREFIX, keys.INBOX_TTL_SECONDS, keys.MARK_PREFIX, keys.MARK_TTL_SECONDS
        ]  # fmt: skip
        for job_id, priority, farewell in withdrawals:
            arguments += (job_id, priority.value, farewell)
        outcomes: list[bytes] = await scripts.WITHDRAW.run(self._redis, keys.LANES, arguments)
        return [outcome.decode() for outcome in outcomes]  # type: ignore[misc]
