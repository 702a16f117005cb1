"""Answers for one gateway process: one list in Redis, one reader, handed to whoever waits for each."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from fast_priority.broker import connecting, keys, scripts
from fast_priority.errors import GatewayError, RequestLost
from fast_priority.message import Failure, Reply, UnreadableMessage, decode_answer
from fast_priority.tasks import end_all, keep_doing

logger = logging.getLogger(__name__)

_MOST_BYTES_AT_ONCE = 1024 * 1024
_BLOCK_SECONDS = 5
_PATIENCE_SECONDS = 10.0  # nobody hears of a slow read, and an answer that was popped for nobody is lost
_WATCH_AT_ONCE = 1000
_RECONNECT_SECONDS = 0.2

_ENDED = frozenset({b"", b"failed", b"canceled", b"stopped"})
"""What a job's status says when no answer will come: it is gone, or rq's own tools have put it aside."""

Outcome = Reply | Failure


class Inbox:
    """Knows which requests wait for an answer, reads the answers and hands them over.

    Two tasks run while it is open. One reads the inbox and never polls. The other looks, every
    `poll_interval_seconds` and for all waiting requests in one call, whether their jobs are still there: a request
    whose job is gone twice in a row, with nothing left to read, has lost its worker and fails with RequestLost.
    """

    def __init__(self, gateway_id: str, options: dict[str, Any], poll_interval_seconds: float) -> None:
        self._key = keys.inbox(gateway_id)
        self._redis: Redis = connecting.connect(options, _PATIENCE_SECONDS)
        self._blocking: Redis = connecting.connect(options, _BLOCK_SECONDS + _PATIENCE_SECONDS)
        self._poll_interval_seconds = poll_interval_seconds
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._missing: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start reading."""
        loops = [("cannot read answers", self._read_once), ("cannot look after waiting requests", self._watch_once)]
        self._tasks = [
            asyncio.create_task(
                keep_doing(what, step, expected=connecting.LOST, again_seconds=_RECONNECT_SECONDS, logger=logger)
            )
            for what, step in loops
        ]

    async def close(self) -> None:
        """Stop reading; whoever still waits gets RequestLost."""
        await end_all(self._tasks)
        for request_id in list(self._waiting):
            self.fail(request_id, RequestLost("the gateway stopped"))
        with suppress(*connecting.LOST):  # it expires by itself
            await self._redis.delete(self._key)
        await self._redis.aclose()
        await self._blocking.aclose()

    def expect(self, request_id: str) -> asyncio.Future[Outcome]:
        """Give a future of the answer to a request that is about to be submitted."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        return answer

    def forget(self, request_id: str) -> None:
        """Nobody waits for this answer any more; should it come, it is dropped."""
        self._waiting.pop(request_id, None)
        self._missing.discard(request_id)

    def fail(self, request_id: str, error: GatewayError) -> None:
        """Make whoever waits for this answer get an error instead."""
        answer = self._waiting.pop(request_id, None)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    async def _read_once(self) -> None:
        for frame in await self._read():
            self._hand_over(frame)
        await asyncio.sleep(0)  # those who waited go on first, and then the next read

    async def _read(self) -> list[bytes]:
        if self._waiting:
            frames: list[bytes] = await scripts.READ.run(self._redis, [self._key], [_MOST_BYTES_AT_ONCE])
            if frames:
                return frames
        popped = await self._blocking.blpop([self._key], timeout=_BLOCK_SECONDS)
        return [popped[1]] if popped else []  # type: ignore[list-item]

    def _hand_over(self, frame: bytes) -> None:
        try:
            answer = decode_answer(frame)
        except UnreadableMessage as error:
            logger.warning("dropped what was not an answer: %s", error)
            return
        waiting = self._waiting.pop(answer.request_id, None)
        self._missing.discard(answer.request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.outcome)

    async def _watch_once(self) -> None:
        await asyncio.sleep(self._poll_interval_seconds)
        ids = list(self._waiting)
        for start in range(0, len(ids), _WATCH_AT_ONCE):
            await self._watch(ids[start : start + _WATCH_AT_ONCE])

    async def _watch(self, ids: list[str]) -> None:
        unread, *statuses = await scripts.WATCH.run(self._redis, [self._key], [keys.JOB_PREFIX, *ids])
        for request_id, status in zip(ids, statuses, strict=True):
            if status not in _ENDED:
                self._missing.discard(request_id)
            elif request_id not in self._waiting:
                continue
            elif request_id in self._missing and unread == 0:
                self._missing.discard(request_id)
                self.fail(request_id, RequestLost("its job vanished without an answer"))
            else:
                # Its answer may be on the way: settling a request removes the job and sends the answer at once.
                self._missing.add(request_id)
