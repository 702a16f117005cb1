"""Sends requests to their queues, in batches, and finds out whether each of them was queued.

Theory of operation. A submit that was never written, or that Redis refused, is not queued: its client may send the
request again. A submit that was written and not answered may be queued, forwarded to the target, or lost. So the
gateway asks Redis about it, on another connection (`recall`). If that question fails as well, Redis is away. From then
on the outbox is blocked: it writes nothing more until a question is answered, so that no further request becomes
uncertain.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import (
    CONNECTION_ERRORS,
    Batcher,
    NotCarriedOut,
    RedisHealth,
    RedisOutage,
    connect,
)
from fast_priority.broker.jobs import JobTemplate
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.broker.producer.recall import Recall, inbox_was_read
from fast_priority.protocol.conversation import Conversation
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all
from fast_priority.support.elapsed import Moment
from fast_priority.support.timeout_queue import TimeoutQueue

SUBMIT_SECONDS = 1.8
"""How long a submit may take. So a client has its answer within 2 s when Redis hangs."""
_LEAST_SECONDS = 0.3  # with less time left, a submit is not written: it would only become uncertain
_ASK_SECONDS = 0.2  # the rest of the 2 s
_LEAST_ASK_SECONDS = 0.1
_PROBE_SECONDS = 1.0
_BREAKING_SECONDS = 0.5
_AGAIN_SECONDS = 0.05
_WITHIN_A_LEASE_SECONDS = times.LEASE_SECONDS - 0.5
_MOST_TRIES = 5
_TRY_AGAIN_SECONDS = 0.02
_MOST_AT_ONCE = 64
_MOST_BYTES_AT_ONCE = 1024 * 1024  # so that small requests do not wait until many large ones were sent

SubmitOutcome = Literal["queued", "full", "late", "unsent", "absent", "lost", "unknown"]
"""The outcome of a submit.

- queued: the request is on its queue, or a worker has claimed it from there.
- full, late, unsent: it is not queued and never will be. The queue is full; Redis took too long; it was not written.
- absent: the answer was lost, and Redis was asked: the request is not queued and never will be.
- lost: Redis does not know it, and may have forgotten it. The target may have received it.
- unknown: the answer was lost, and Redis could not be asked in time.
"""
NEVER_QUEUED = ("full", "late", "unsent", "absent")
"""After these outcomes nothing of the request is left in Redis."""


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
    """Whether it is the second attempt, under a new id: it goes in front of all others, and there is no third one."""
    until: float = field(default_factory=lambda: time.monotonic() + SUBMIT_SECONDS)
    """When its client gets an error if it is not queued by then, by `time.monotonic`."""
    sent: "asyncio.Future[SubmitOutcome] | None" = None
    """Has a result once the submit is over: after that, it changes nothing in Redis."""
    is_noted: bool = False

    @property
    def is_timely(self) -> bool:
        """Whether there is time left to queue it."""
        return self.until - time.monotonic() >= _LEAST_SECONDS

    def rename(self, job_id: str, conversation: Conversation) -> None:
        """Make it a new submission of the same request, with the time that is left."""
        self.job_id, self.conversation = job_id, conversation
        self.sent, self.is_noted = None, False


class _Situation(NamedTuple):
    """When submits were written, and what was known of Redis at that moment."""

    written: Moment
    server: bytes
    upsets: int


class SubmitOutbox:
    """Puts the requests of one gateway on their queues. Those of one event-loop turn share a round trip.

    `note` is called once with each submission and its outcome, as soon as the outcome allows to answer the client.
    """

    def __init__(
        self,
        options: dict[str, Any],
        settings: Settings,
        gateway_id: str,
        health: RedisHealth,
        inbox: Inbox,
        note: Callable[[Submission, SubmitOutcome], None],
        outage: RedisOutage,
    ) -> None:
        self._redis: Redis = connect(options)
        self._recall = Recall(options, gateway_id, health, inbox)
        self._settings = settings
        self._gateway_id = gateway_id
        self._health = health
        self._note_outcome = note
        self._template = JobTemplate(settings.ttl)
        self._limits = [settings.max_queued(priority) for priority in keys.LANES.priorities]
        self._outage = outage.of("cannot queue requests")
        self._unwritten: TimeoutQueue[Submission] = TimeoutQueue(SUBMIT_SECONDS, self._give_up_unwritten)
        self._batches: Batcher[Submission, SubmitOutcome] = Batcher(
            self._send, _MOST_AT_ONCE, weigh=lambda submission: len(submission.data), most_weight=_MOST_BYTES_AT_ONCE
        )
        self._settling: set[asyncio.Task[None]] = set()  # the event loop keeps only weak references to tasks
        self.is_blocked = False
        """Whether nothing is written now, because Redis does not answer."""

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
        """Send a submission with the next batch."""
        submission.sent = self._batches.put(submission)
        self._unwritten.begin(submission)

    def take_back(self, submission: Submission) -> bool:
        """Remove a submission that is not written yet. Return whether it was removed."""
        self._unwritten.end(submission)
        return submission.sent is not None and self._batches.take_back(submission.sent)

    def _give_up_unwritten(self, submission: Submission) -> None:
        if self.take_back(submission) and submission.sent is not None:
            submission.sent.set_result("unsent")
            self._note(submission, "unsent")

    def _note(self, submission: Submission, outcome: SubmitOutcome) -> None:
        if not submission.is_noted:
            submission.is_noted = True
            self._note_outcome(submission, outcome)

    async def _send(self, batch: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        outcomes: dict[Submission, SubmitOutcome] = {}
        for submission in batch:
            self._unwritten.end(submission)
            outcomes[submission] = "unsent"
        timely = [submission for submission in batch if submission.is_timely]
        while timely:
            outcomes.update(zip(timely, await self._send_once(timely), strict=True))
            # Late because Redis's clock was set: the answer has shown its new time.
            timely = [submission for submission in timely if outcomes[submission] == "late" and submission.is_timely]
        for submission, outcome in outcomes.items():
            if outcome not in ("absent", "lost"):  # their answers may be in the inbox: see `_settle`
                self._note(submission, outcome)
        return list(outcomes.values())

    async def _send_once(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        before = _Situation(Moment.now(), self._health.server, self._health.upsets)
        try:
            outcomes = await self._submit_on_any_connection(submissions)
        except CONNECTION_ERRORS as error:
            if not scripts.is_refusal(error):
                return await self._resolve(submissions, before, error)
            self._outage.failure(error)
            return ["unsent"] * len(submissions)
        except Exception as error:  # unexpected, so nothing is certain
            for submission in submissions:
                submission.is_noted = True
                submission.conversation.fail(error)
            return ["unknown"] * len(submissions)
        self._outage.recovered()
        return outcomes

    async def _resolve(
        self, submissions: Sequence[Submission], before: _Situation, error: Exception
    ) -> Sequence[SubmitOutcome]:
        """Return the outcomes of submits whose answer was lost with this error."""
        states, marker = await self._recall_until_answered(submissions, error)
        # If a lease may have ended, or Redis may have lost data, a missing job does not prove that no worker had it.
        is_same_server = before.server != b"" and before[1:] == (self._health.server, self._health.upsets)
        is_certain = is_same_server and before.written.elapsed_seconds() < _WITHIN_A_LEASE_SECONDS
        absent: SubmitOutcome = "absent" if is_certain else "lost"
        missing = [each for each, state in zip(submissions, states, strict=True) if state == "absent"]
        if missing:
            task = asyncio.create_task(self._settle(missing, absent, marker))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        return [absent if state == "absent" else "queued" for state in states]

    async def _submit_on_any_connection(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        """Submit. If a connection breaks before anything is written, use another."""
        for _ in range(_MOST_TRIES - 1):
            with suppress(NotCarriedOut):
                return await self._submit(submissions)
            await asyncio.sleep(_TRY_AGAIN_SECONDS)
            if not all(submission.is_timely for submission in submissions):
                raise NotCarriedOut("no connection in time")
        return await self._submit(submissions)

    async def _submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        now, ahead_seconds = self._template.now(), self._health.ahead_seconds
        if ahead_seconds is None:
            await self._health.set_clock(self._redis)
            ahead_seconds = self._health.ahead_seconds or 0.0
        requests = [
            scripts.SubmittedRequest(
                each.job_id,
                each.priority.value,
                each.data,
                now,
                each.description,
                each.until + ahead_seconds,
                int(each.is_second),
                int(each.is_idempotent and not each.is_second),
            )
            for each in submissions
        ]
        until = min(each.until for each in submissions)
        asked_at = time.monotonic()
        server, seconds, microseconds, *outcomes = await self._call(requests).run(self._redis, until - asked_at)
        self._health.note_answer(server, (seconds, microseconds), asked_at)
        return [outcome.decode() for outcome in outcomes]

    def _call(self, requests: Sequence[scripts.SubmittedRequest]) -> scripts.SubmitCall:
        lanes = keys.LANES
        return scripts.SubmitCall(
            wake_up_key=keys.WAKE_UP,
            gateway_key=keys.gateway(self._gateway_id),
            queue_keys=lanes.queues,
            gateway_id=self._gateway_id,
            ttl=self._settings.ttl,
            most_wake_ups=times.MOST_WAKE_UPS,
            gateway_ttl=times.GATEWAY_TTL_SECONDS,
            lanes=lanes.names,
            job_fields=self._template.constant_fields,
            limits=self._limits,
            requests=requests,
        )

    async def _recall_until_answered(
        self, submissions: Sequence[Submission], lost: Exception
    ) -> tuple[Sequence[str], Conversation]:
        """Ask Redis about these submits until it answers. If it does not answer in time, their outcome is unknown."""
        job_ids = [submission.job_id for submission in submissions]
        lost_at = time.monotonic()
        due_at = min(submission.until for submission in submissions) + _ASK_SECONDS
        while True:
            remaining_seconds = due_at - time.monotonic()
            within_seconds = max(remaining_seconds, _LEAST_ASK_SECONDS) if remaining_seconds > 0 else _PROBE_SECONDS
            try:
                answer = await self._recall.ask(job_ids, within_seconds)
            except CONNECTION_ERRORS as error:
                # A broken connection does not mean that Redis is away. An answer that is overdue does.
                if isinstance(error, RedisTimeoutError) or time.monotonic() - lost_at > _BREAKING_SECONDS:
                    self._block(lost)
                remaining_seconds = due_at - time.monotonic()
                if remaining_seconds <= 0:
                    for submission in submissions:
                        self._note(submission, "unknown")
                await asyncio.sleep(min(_AGAIN_SECONDS, remaining_seconds) if remaining_seconds > 0 else _AGAIN_SECONDS)
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

    async def _settle(self, missing: Sequence[Submission], absent: SubmitOutcome, marker: Conversation) -> None:
        was_read = await inbox_was_read(marker)
        for submission in missing:
            if submission.conversation.has_received:  # its answer was in the inbox
                self._note(submission, "queued")
            else:
                self._note(submission, absent if was_read else "lost")
