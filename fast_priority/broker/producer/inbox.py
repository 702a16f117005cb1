"""What one gateway process hears from workers: one mailbox, handed over to the conversations that wait."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import CONNECTION_ERRORS, RedisHealth, connect
from fast_priority.broker.mailbox import Mailbox
from fast_priority.broker.producer.lost_requests import LostRequestDetector
from fast_priority.errors import GatewayError, RequestLost
from fast_priority.http.message import Reply
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import End, Failure, Frame, Go
from fast_priority.support.background import end_all, keep_doing

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 2.0
_WORKERS_ARE_BACK_SECONDS = 3.0  # they notice a dead connection within 2 s, and renew their leases every second
_ALL_SEEN_SECONDS = 6.0  # since it was away: workers are back by then, and all have been looked at twice
_OFTEN_SECONDS = 1.0  # whoever looks less often may miss that a lease ends
_WATCH_AT_ONCE = 1000
_AGAIN_SECONDS = 0.25  # the second look, so that a dead worker's requests are settled within 5 s of its death
_RECONNECT_SECONDS = 0.2


class Inbox:
    """Knows which requests wait for an answer, hears what workers say of them and hands it over.

    Two tasks run while it is open. One reads the mailbox and never polls. The other looks, every
    `poll_interval_seconds`, whether the jobs of those that wait are still there: a request whose job is gone twice in a
    row, with nothing left to read, has lost its worker and fails with RequestLost. After a Redis that was away, workers
    have time first to say what they have in flight; then all that wait are looked at.

    `end_unknown` is called with the id of each permit that a worker holds for a request that is not known here.
    """

    def __init__(
        self,
        gateway_id: str,
        options: dict[str, Any],
        poll_interval_seconds: float,
        health: RedisHealth | None = None,
        end_unknown: Callable[[str], None] = lambda request_id: None,
    ) -> None:
        self._key, self._aside = keys.inbox(gateway_id), keys.set_aside(gateway_id)
        self._redis: Redis = connect(options, _ANSWER_SECONDS)
        self._mailbox = Mailbox(gateway_id, options, self._hear, expects_much=lambda: bool(self._waiting))
        self._poll_interval_seconds = poll_interval_seconds
        self._end_unknown = end_unknown
        self._waiting: dict[str, Conversation] = {}
        self._lookout = LostRequestDetector()
        self._health = health or RedisHealth()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start reading."""
        loops = [
            ("cannot read answers", self._mailbox.read_once),
            ("cannot look after waiting requests", self._watch_once),
        ]
        self._tasks = [
            asyncio.create_task(
                keep_doing(what, step, expected=CONNECTION_ERRORS, again_seconds=_RECONNECT_SECONDS, logger=logger)
            )
            for what, step in loops
        ]

    async def close(self) -> None:
        """Stop reading; whoever still waits gets RequestLost."""
        await end_all(self._tasks)
        for request_id in list(self._waiting):
            self.fail(request_id, RequestLost("the gateway stopped"))
        await self._mailbox.close()
        await self._redis.aclose()

    def expect(self, request_id: str) -> Conversation:
        """Give what will hear of a request that is about to be submitted."""
        conversation = self._waiting[request_id] = Conversation()
        return conversation

    def look_after(self, request_id: str) -> bool:
        """The request is on its queue: from now on its job has to be there. Tells whether anybody waits for it."""
        if request_id not in self._waiting:
            return False
        self._lookout.add(request_id)
        return True

    def forget(self, request_id: str) -> None:
        """Nobody waits for this answer any more; should it come, it is dropped."""
        self._waiting.pop(request_id, None)
        self._lookout.drop(request_id)

    def fail(self, request_id: str, error: GatewayError) -> None:
        """Make whoever waits for this answer get an error instead."""
        conversation = self._waiting.get(request_id)
        self.forget(request_id)
        if conversation is not None:
            conversation.fail(error)

    def _hear(self, frame: Frame) -> None:
        conversation = self._waiting.get(frame.request_id)
        if conversation is None:
            if isinstance(frame.part, Go):
                self._end_unknown(frame.request_id)
            return
        if isinstance(frame.part, Reply | Failure | End):
            self.forget(frame.request_id)  # its job is gone with that, and need not be looked after
        conversation.receive(frame.part)

    async def _watch_once(self) -> None:
        again_seconds = _AGAIN_SECONDS if self._lookout.is_in_a_hurry else self._poll_interval_seconds
        await asyncio.sleep(min(again_seconds, self._poll_interval_seconds))
        looks_seldom = self._poll_interval_seconds > _OFTEN_SECONDS
        everyone = looks_seldom or self._health.was_away_within(_ALL_SEEN_SECONDS)
        await self._watch(self._lookout.choose(everyone=everyone))

    async def _watch(self, ids: list[str]) -> None:
        seen: list[tuple[str, bytes]] = []
        ending: set[str] = set()
        most_unread = 0
        # Even if there are none: which server answers has to be known before it is another.
        for start in range(0, max(len(ids), 1), _WATCH_AT_ONCE):
            some = ids[start : start + _WATCH_AT_ONCE]
            unread, ending_now, statuses = await self._ask(some)
            most_unread = max(most_unread, unread)
            ending.update(job_id.decode(errors="replace") for job_id in ending_now)
            seen += zip(some, statuses, strict=True)
        if self._health.was_away_within(_WORKERS_ARE_BACK_SECONDS):
            return
        # The last first: each goes in front of all others, and so the oldest comes to be the first.
        for request_id, error in self._lookout.note(seen, ending, most_unread):
            self.fail(request_id, error)

    async def _ask(self, ids: list[str]) -> tuple[int, list[bytes], list[bytes]]:
        """Give how many frames are unread, whose leases end soon, and the status of each of these jobs."""
        asked_at = time.monotonic()
        try:
            touched = [self._key, self._aside, *keys.LEASES]
            answer = await scripts.WATCH.run(self._redis, touched, [keys.JOB_PREFIX, *ids])
        except CONNECTION_ERRORS:
            self._health.note_away()
            raise
        server, seconds, microseconds, unread, ending, *statuses = answer
        self._health.note_held_up(asked_at)
        self._health.note_answer(server, (seconds, microseconds), asked_at)
        return unread, ending, statuses
