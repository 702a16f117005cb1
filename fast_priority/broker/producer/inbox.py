"""The mailbox of one gateway, and the conversations that wait for its frames."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import CONNECTION_ERRORS, RedisHealth, RedisOutage, connect
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.broker.mailbox import Mailbox
from fast_priority.broker.producer.lost_requests import LostRequestDetector
from fast_priority.errors import GatewayError, RequestLost
from fast_priority.http.message import Reply
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Cancel, End, Failure, Frame, Go
from fast_priority.support.background import end_all

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 2.0
_WORKERS_ARE_BACK_SECONDS = 3.0  # workers notice a dead connection within 2 s, and renew their leases every second
_ALL_SEEN_SECONDS = 6.0  # after Redis was away: by then workers are back, and all requests were looked at twice
_OFTEN_SECONDS = 1.0  # with a longer poll interval, a gateway may miss a lease that ends
_WATCH_AT_ONCE = 1000
_AGAIN_SECONDS = 0.25  # before the second look, so that requests of a dead worker fail within 5 s of its death
_RECONNECT_SECONDS = 0.2
_OVERDUE_SECONDS = 0.1


class Inbox:
    """Knows which requests wait for a response, and passes each frame to the conversation of its request.

    While it is open, two tasks run. One reads the mailbox, without polling. The other looks every
    `poll_interval_seconds` whether the jobs of waiting requests still exist. A request whose job is missing in two
    looks in a row, with no frames left to read, has lost its worker: it fails with RequestLost. After Redis was away,
    workers first have time to renew their leases; then the task looks at all waiting requests.

    `end_unknown` is called with the id of each permit that a worker holds for a request that this gateway does not
    know, and `end_lent` with that of a request of another gateway that needs no more the slot that was lent to it.
    `overdue_seconds` returns for how long a claim of this gateway has been without an answer: a request that it waits
    for may be what was claimed, and is not missing then.
    """

    def __init__(
        self,
        gateway_id: str,
        options: dict[str, Any],
        poll_interval_seconds: float,
        health: RedisHealth | None = None,
        end_unknown: Callable[[str], None] = lambda request_id: None,
        outage: RedisOutage | None = None,
        *,
        end_lent: Callable[[str], None] = lambda request_id: None,
        overdue_seconds: Callable[[], float] = lambda: 0.0,
        lanes: KnownLanes | None = None,
    ) -> None:
        self._lanes = lanes or KnownLanes()
        self._key, self._processing = keys.inbox(gateway_id), keys.processing_list(gateway_id)
        self._redis: Redis = connect(options, _ANSWER_SECONDS)
        self._mailbox = Mailbox(
            gateway_id, options, self._receive, expects_many=lambda: bool(self._waiting), fail=self.fail
        )
        self._poll_interval_seconds = poll_interval_seconds
        self._end_unknown = end_unknown
        self._waiting: dict[str, Conversation] = {}
        self._detector = LostRequestDetector()
        self._health = health or RedisHealth()
        self._outage = outage or RedisOutage(logger)
        self._end_lent = end_lent
        self._overdue_seconds = overdue_seconds
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start the two tasks."""
        self._tasks = [
            self._outage.keep_doing("cannot read answers", self._mailbox.read_once, _RECONNECT_SECONDS),
            self._outage.keep_doing("cannot check waiting requests", self._watch_once, _RECONNECT_SECONDS),
        ]

    async def close(self) -> None:
        """Stop the tasks. All requests that still wait fail with RequestLost."""
        await end_all(self._tasks)
        for request_id in list(self._waiting):
            self.fail(request_id, RequestLost("the gateway stopped"))
        await self._mailbox.close()
        await self._redis.aclose()

    def expect(self, request_id: str) -> Conversation:
        """Return the conversation for a request that is about to be submitted."""
        conversation = self._waiting[request_id] = Conversation()
        return conversation

    def watch(self, request_id: str) -> bool:
        """Note that the request is queued, so its job must exist from now on. Return whether it still waits."""
        if request_id not in self._waiting:
            return False
        self._detector.add(request_id)
        return True

    def stop_watching(self, request_id: str) -> None:
        """Note that the request has no job any more, because a slot of this gateway is taken for it."""
        self._detector.drop(request_id)

    def forget(self, request_id: str) -> None:
        """Wait no longer for this request. Frames for it are dropped."""
        self._waiting.pop(request_id, None)
        self._detector.drop(request_id)

    def fail(self, request_id: str, error: GatewayError) -> None:
        """Fail the conversation of this request, if it waits."""
        conversation = self._waiting.get(request_id)
        self.forget(request_id)
        if conversation is not None:
            conversation.fail(error)

    def _receive(self, frame: Frame) -> None:
        conversation = self._waiting.get(frame.request_id)
        if conversation is None:
            if isinstance(frame.part, Cancel):
                self._end_lent(frame.request_id)
            if isinstance(frame.part, Go):
                self._end_unknown(frame.request_id)
            return
        if isinstance(frame.part, Reply | Failure | End):
            self.forget(frame.request_id)  # its job was removed in the same step
        conversation.receive(frame.part)

    async def _watch_once(self) -> None:
        again_seconds = _AGAIN_SECONDS if self._detector.is_urgent else self._poll_interval_seconds
        await asyncio.sleep(min(again_seconds, self._poll_interval_seconds))
        looks_seldom = self._poll_interval_seconds > _OFTEN_SECONDS
        look_at_all = looks_seldom or self._health.was_away_within(_ALL_SEEN_SECONDS)
        await self._watch(self._detector.choose(look_at_all=look_at_all))

    async def _watch(self, ids: list[str]) -> None:
        seen: list[tuple[str, bytes]] = []
        ending: set[str] = set()
        most_unread = 0
        # Also with no ids: the gateway must know its server before that is replaced.
        for start in range(0, max(len(ids), 1), _WATCH_AT_ONCE):
            some = ids[start : start + _WATCH_AT_ONCE]
            unread, ending_now, statuses = await self._ask(some)
            most_unread = max(most_unread, unread + (self._overdue_seconds() > _OVERDUE_SECONDS))
            ending.update(job_id.decode(errors="replace") for job_id in ending_now)
            seen += zip(some, statuses, strict=True)
        if self._health.was_away_within(_WORKERS_ARE_BACK_SECONDS):
            return
        # The youngest fails first: each is queued again in front of all others, so the oldest is in front at the end.
        for request_id, error in self._detector.note(seen, ending, most_unread):
            self.fail(request_id, error)

    async def _ask(self, ids: list[str]) -> tuple[int, list[bytes], list[bytes]]:
        """Return how many frames are unread, the ids whose lease ends soon, and the status of each of these jobs."""
        call = scripts.WatchCall(
            inbox_key=self._key,
            processing_key=self._processing,
            started_keys=self._lanes.current.started,
            lanes=self._lanes.current.names,
            ids=ids,
        )
        asked_at = time.monotonic()
        try:
            answer = await call.run(self._redis)
        except CONNECTION_ERRORS:
            self._health.note_away()
            raise
        server, seconds, microseconds, unread, ending, *statuses = answer
        self._health.note_held_up(asked_at)
        self._health.note_answer(server, (seconds, microseconds), asked_at)
        return unread, ending, statuses
