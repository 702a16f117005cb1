"""Requests on their way to the queues: written in batches, and no outcome is reported that is not certain.

What was never written, or was refused, is not queued: its client may send it again. What was written and not answered
may be queued, at the target, or lost, so Redis is asked for it on another connection. A question that fails shows that
Redis is away: from then on nothing more is written until a question is answered, so that no more becomes uncertain.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import CONNECTION_ERRORS, Argument, Batcher, NotCarriedOut, RedisHealth, connect
from fast_priority.broker.jobs import JobTemplate
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.broker.producer.recall import Recall, inbox_was_read
from fast_priority.protocol.conversation import Conversation
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all
from fast_priority.support.elapsed import Moment
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.timeout_queue import TimeoutQueue

logger = logging.getLogger(__name__)

SUBMIT_SECONDS = 1.8
"""How long a submit may take: so a client is answered within 2 s when Redis hangs."""
_LEAST_SECONDS = 0.3  # with less time left a submit is not written: it would only become uncertain
_ASK_SECONDS = 0.2  # what is left of the 2 s
_LEAST_ASK_SECONDS = 0.1
_PROBE_SECONDS = 1.0
_BREAKING_SECONDS = 0.5
_AGAIN_SECONDS = 0.05
_WITHIN_A_LEASE_SECONDS = keys.LEASE_SECONDS - 0.5
_MOST_TRIES = 5
_TRY_AGAIN_SECONDS = 0.02
_MOST_AT_ONCE = 64
_MOST_BYTES_AT_ONCE = 1024 * 1024  # so that small requests do not wait for many large ones to travel

Outcome = Literal["queued", "full", "late", "unsent", "absent", "lost", "unknown"]
"""The outcome of a submit.

- queued: it is on its queue, or a worker has taken it from there.
- full, late, unsent: it is not queued, and never will be: the queue is full; Redis took too long; it was not written.
- absent: the same is certain of one whose answer was lost.
- lost: Redis does not know it, and may have forgotten it: the target may have seen it.
- unknown: the answer was lost, and Redis could not be asked in time.
"""
NEVER_QUEUED = ("full", "late", "unsent", "absent")
"""After these, nothing of the request is left anywhere."""


@dataclass(slots=True, eq=False)
class Submission:
    """One request for the queue of its priority."""

    conversation: Conversation
    job_id: str
    priority: Priority
    data: bytes
    description: str
    is_idempotent: bool
    is_second: bool = False
    """Whether it was queued before, under another id: then it goes in front of all others, and not a third time."""
    until: float = field(default_factory=lambda: time.monotonic() + SUBMIT_SECONDS)
    """When its client is answered if it is not queued by then, by `time.monotonic`."""
    sent: "asyncio.Future[Outcome] | None" = None
    """Has a result once Redis can do nothing more with it unnoticed."""
    is_noted: bool = False

    @property
    def is_timely(self) -> bool:
        """Whether there is time left to queue it."""
        return self.until - time.monotonic() >= _LEAST_SECONDS

    def rename(self, job_id: str, conversation: Conversation) -> None:
        """Make it a new submission of the same request, with the time that is left of the old one."""
        self.job_id, self.conversation = job_id, conversation
        self.sent, self.is_noted = None, False


class SubmitOutbox:
    """Puts the requests of one gateway on their queues; those of one event-loop turn share a round trip.

    `note` takes the outcome of each, once, as soon as its client can be answered by it.
    """

    def __init__(
        self,
        options: dict[str, Any],
        settings: Settings,
        gateway_id: str,
        health: RedisHealth,
        inbox: Inbox,
        note: Callable[[Submission, Outcome], None],
    ) -> None:
        self._redis: Redis = connect(options)
        self._recall = Recall(options, gateway_id, health, inbox)
        self._settings = settings
        self._gateway_id = gateway_id
        self._health = health
        self._note_outcome = note
        self._template = JobTemplate(settings.ttl)
        self._outage = OutageLog("cannot queue requests", logger)
        self._unwritten: TimeoutQueue[Submission] = TimeoutQueue(SUBMIT_SECONDS, self._give_up_unwritten)
        self._batches: Batcher[Submission, Outcome] = Batcher(
            self._send, _MOST_AT_ONCE, weigh=lambda submission: len(submission.data), most_weight=_MOST_BYTES_AT_ONCE
        )
        self._settling: set[asyncio.Task[None]] = set()  # a task that nothing refers to may be collected
        self.is_blocked = False
        """Whether nothing is written for now: Redis does not answer."""

    async def close(self) -> None:
        """Send no more."""
        self._unwritten.close()
        await self._batches.close()
        await end_all(self._settling)
        await self._recall.close()
        await self._redis.aclose()

    def data(self, payload: bytes) -> bytes:
        """Return the `data` of a job with this payload."""
        return self._template.data(payload)

    def put(self, submission: Submission) -> None:
        """Send it with the next batch."""
        submission.sent = self._batches.put(submission)
        self._unwritten.begin(submission)

    def take_back(self, submission: Submission) -> bool:
        """Keep it from being written; tells whether there was still time for that."""
        self._unwritten.end(submission)
        return submission.sent is not None and self._batches.take_back(submission.sent)

    def _give_up_unwritten(self, submission: Submission) -> None:
        if self.take_back(submission) and submission.sent is not None:
            submission.sent.set_result("unsent")
            self._note(submission, "unsent")

    def _note(self, submission: Submission, outcome: Outcome) -> None:
        if not submission.is_noted:
            submission.is_noted = True
            self._note_outcome(submission, outcome)

    async def _send(self, batch: Sequence[Submission]) -> Sequence[Outcome]:
        outcomes: dict[Submission, Outcome] = {}
        for submission in batch:
            self._unwritten.end(submission)
            outcomes[submission] = "unsent"
        timely = [submission for submission in batch if submission.is_timely]
        while timely:
            outcomes.update(zip(timely, await self._send_once(timely), strict=True))
            # Late by a clock of Redis's that was set: by now it is known.
            timely = [submission for submission in timely if outcomes[submission] == "late" and submission.is_timely]
        for submission, outcome in outcomes.items():
            if outcome not in ("absent", "lost"):  # of which the inbox may know more
                self._note(submission, outcome)
        return list(outcomes.values())

    async def _send_once(self, submissions: Sequence[Submission]) -> Sequence[Outcome]:
        written, server, upsets = Moment.now(), self._health.server, self._health.upsets
        try:
            outcomes = await self._submit_somehow(submissions)
        except CONNECTION_ERRORS as error:
            if scripts.is_refusal(error):
                self._outage.failure(error)
                return ["unsent"] * len(submissions)
            states, marker = await self._ask(submissions, error)
        except Exception as error:  # nobody thought of it, so nothing is certain
            for submission in submissions:
                submission.is_noted = True
                submission.conversation.fail(error)
            return ["unknown"] * len(submissions)
        else:
            self._outage.recovered()
            return outcomes
        # A lease that may have ended, or a Redis that may have forgotten, cannot show that no worker has taken it.
        forgets_nothing = server != b"" and (server, upsets) == (self._health.server, self._health.upsets)
        is_certain = forgets_nothing and written.elapsed_seconds() < _WITHIN_A_LEASE_SECONDS
        absent: Outcome = "absent" if is_certain else "lost"
        missing = [each for each, state in zip(submissions, states, strict=True) if state == "absent"]
        if missing:
            task = asyncio.create_task(self._settle(missing, absent, marker))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        return [absent if state == "absent" else "queued" for state in states]

    async def _submit_somehow(self, submissions: Sequence[Submission]) -> Sequence[Outcome]:
        """Submit on another connection where one broke before anything was written."""
        for _ in range(_MOST_TRIES - 1):
            with suppress(NotCarriedOut):
                return await self._submit(submissions)
            await asyncio.sleep(_TRY_AGAIN_SECONDS)
            if not all(submission.is_timely for submission in submissions):
                raise NotCarriedOut("no connection in time")
        return await self._submit(submissions)

    async def _submit(self, submissions: Sequence[Submission]) -> Sequence[Outcome]:
        settings, constants = self._settings, self._template.constant_fields
        now, ahead_seconds = self._template.now(), self._health.ahead_seconds
        if ahead_seconds is None:
            await self._health.set_clock(self._redis)
            ahead_seconds = self._health.ahead_seconds or 0.0
        arguments: list[Argument] = [
            keys.JOB_PREFIX, self._gateway_id, settings.ttl, settings.max_queued_high, settings.max_queued_low,
            keys.MOST_WAKE_UPS, keys.WAKE_UP_TTL_SECONDS, keys.GATEWAY_TTL_SECONDS, keys.QUEUE_GRACE_SECONDS,
            len(constants), *constants,
        ]  # fmt: skip
        until = submissions[0].until
        for each in submissions:
            until = min(until, each.until)
            arguments += (
                each.job_id, each.priority.value, each.data, now, each.description, each.until + ahead_seconds,
                int(each.is_second), int(each.is_idempotent and not each.is_second),
            )  # fmt: skip
        touched = [*keys.LANES, keys.WAKE_UP, keys.gateway(self._gateway_id)]
        asked_at = time.monotonic()
        server, seconds, microseconds, *outcomes = await scripts.SUBMIT.run(
            self._redis, touched, arguments, until - asked_at
        )
        self._health.note_answer(server, (seconds, microseconds), asked_at)
        return [outcome.decode() for outcome in outcomes]

    async def _ask(self, submissions: Sequence[Submission], lost: Exception) -> tuple[Sequence[str], Conversation]:
        """Ask what became of these until Redis answers; in time, or their clients are told that it is unknown."""
        job_ids = [submission.job_id for submission in submissions]
        lost_at = time.monotonic()
        tell_at = min(submission.until for submission in submissions) + _ASK_SECONDS
        while True:
            left_seconds = tell_at - time.monotonic()
            within_seconds = max(left_seconds, _LEAST_ASK_SECONDS) if left_seconds > 0 else _PROBE_SECONDS
            try:
                answer = await self._recall.ask(job_ids, within_seconds)
            except CONNECTION_ERRORS as error:
                # A connection that breaks again says nothing of Redis; an answer that is overdue does.
                if isinstance(error, RedisTimeoutError) or time.monotonic() - lost_at > _BREAKING_SECONDS:
                    self._block(lost)
                left_seconds = tell_at - time.monotonic()
                if left_seconds <= 0:
                    for submission in submissions:
                        self._note(submission, "unknown")
                await asyncio.sleep(min(_AGAIN_SECONDS, left_seconds) if left_seconds > 0 else _AGAIN_SECONDS)
            else:
                self.is_blocked = False
                self._outage.recovered()
                return answer

    def _block(self, error: Exception) -> None:
        self._outage.failure(error)
        self._health.note_away()
        self.is_blocked = True
        for submission in self._batches.take_all_back("unsent"):
            self._unwritten.end(submission)
            self._note(submission, "unsent")

    async def _settle(self, missing: Sequence[Submission], absent: Outcome, marker: Conversation) -> None:
        was_read = await inbox_was_read(marker)
        for submission in missing:
            if submission.conversation.has_received:  # its answer was on the way
                self._note(submission, "queued")
            else:
                self._note(submission, absent if was_read else "lost")
