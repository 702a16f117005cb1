"""The gateway's side of the queues: it submits requests, receives their responses and takes requests back."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Literal
from uuid import uuid4

from fast_priority.broker import keys
from fast_priority.broker.connection import CONNECTION_ERRORS, RedisHealth, RedisOutage, connect, redis_options
from fast_priority.broker.jobs import new_job_id
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer.context import SubmitContext
from fast_priority.broker.producer.frame_outbox import FrameOutbox
from fast_priority.broker.producer.heartbeat import Heartbeat
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.broker.producer.own_slots import OwnSlots
from fast_priority.broker.producer.streams import OwnSlot, Permit, Publish, Stream, upload
from fast_priority.broker.producer.submission import Outbox, Payload, Submission, SubmitOutcome
from fast_priority.broker.producer.submit_outbox import SubmitOutbox
from fast_priority.broker.producer.unclaimed import UnclaimedTimeouts
from fast_priority.broker.producer.withdrawals import Withdrawals
from fast_priority.errors import (
    BrokerUnavailable,
    GatewayError,
    NotQueued,
    NotSent,
    QueueFull,
    RequestLost,
    TargetTimeout,
    WaitedTooLong,
    error_for,
)
from fast_priority.http.message import Bytes, Reply, SlotTimes
from fast_priority.http.via import Deployment
from fast_priority.protocol import silence
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Failure, Go, Head
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all
from fast_priority.support.stalls import Timeout

logger = logging.getLogger(__name__)

_SIGN_OF_LIFE_AGAIN_SECONDS = 0.2

_NOTHING_TO_TAKE_BACK = (QueueFull, WaitedTooLong)
"""After these errors nothing of the request is left in Redis."""

Attempt = Literal[1, 2]
"""Which attempt at a request it is."""

Outcome = Reply | Stream | Permit | OwnSlot
"""The result of a request: a whole response, a response whose body follows, or the right to talk to the target.

The last comes for a call that asks for a permit, and from gateways with slots for any call.
"""


class Submitter:
    """One gateway process at the queues. Use it as an async context manager.

    `submit` sends a request and `outcome` returns its response. Submits of one event-loop turn share a round trip. So
    do withdrawals, and so do frames for workers. All tasks note in `outage` when Redis is in trouble.
    """

    def __init__(
        self, settings: Settings, outage: RedisOutage | None = None, levels: LevelsInForce | None = None
    ) -> None:
        options = redis_options(settings)
        self.gateway_id = uuid4().hex
        self.deployment = Deployment()
        """The name that all gateways on this Redis share, once it is known."""
        self._settings = settings
        self.levels = levels or LevelsInForce.of(settings)
        self._redis = connect(options)
        self.is_closing = False
        """Whether it queues no more requests."""
        self._unclaimed = UnclaimedTimeouts(Conversation.wake)
        health = RedisHealth()
        self._outage = outage or RedisOutage(logger)
        self._inbox = Inbox(
            self.gateway_id,
            options,
            settings.poll_interval,
            health,
            self._end_unknown,
            self._outage,
            end_lent=self._end_lent,
            overdue_seconds=self._overdue_seconds,
            lanes=self.levels.lanes,
        )
        context = SubmitContext(
            options, settings, self.gateway_id, health, self._inbox, self._note_submitted, self._outage, self.levels
        )
        self._slots: OwnSlots | None = None
        self._submits: Outbox
        if settings.slots:
            self._slots = OwnSlots(context)
            self._submits = self._slots.turns
        else:
            self._submits = SubmitOutbox(context)
        self._frames = FrameOutbox(self._redis)
        self._withdrawals = Withdrawals(self._redis, self.levels.lanes)
        self._heartbeat = Heartbeat(self._redis, self.gateway_id, health, self.deployment, self.levels)
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Submitter":
        self._inbox.open()
        if self._slots is not None:
            self._slots.open()
        self._beating = self._outage.keep_doing(
            "cannot renew the sign of life of this gateway", self._heartbeat.beat_once, _SIGN_OF_LIFE_AGAIN_SECONDS
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_closing = True
        if self._beating is not None:
            await end_all([self._beating])
        self._unclaimed.close()
        if self._slots is not None:
            await self._slots.close(self._settings.drain_seconds)
        else:
            await self._submits.close()
        await self._frames.close()
        await self._withdrawals.close()
        await self._inbox.close()
        with suppress(*CONNECTION_ERRORS):  # it also expires
            await self._redis.delete(keys.gateway(self.gateway_id))
        await self._redis.aclose()

    def submit(
        self,
        priority: Priority,
        payload: Payload,
        description: str,
        *,
        is_idempotent: bool = False,
        attempt: Attempt = 1,
        on_submit: Callable[[str], object] | None = None,
        on_start: Callable[[], object] | None = None,
        on_worker: Callable[[SlotTimes | None], object] | None = None,
    ) -> Submission:
        """Queue the payload of a ForwardCall, without waiting. Call `outcome` or `give_up` afterwards in any case.

        `description` is what rq's tools show. The second `attempt` goes in front of all other requests of its queue;
        the caller decides whether there is one. `on_submit` is called with the id of each job that is submitted: more
        than once if Redis has not taken a job. `on_start` is called in the moment in which a slot of this gateway is
        taken for the request, `on_worker` when `outcome` has what a worker begins its answer with, and how long that
        one has had its slot, if it says so. Raises GatewayError.
        """
        if self.is_closing:
            raise RequestLost("the gateway stopped")
        # Each attempt has an id of its own: no late part of the first is taken for an answer to the second.
        job_id = new_job_id()
        conversation = self._inbox.expect(job_id)
        level = self.levels.place(priority)
        ttl_seconds = self.levels.ttl_seconds(level)
        submission = Submission(conversation, job_id, level, payload, description, is_idempotent, ttl_seconds)
        submission.is_second = attempt == 2
        submission.on_submit, submission.on_start, submission.on_worker = on_submit, on_start, on_worker
        self._begin(submission)
        return submission

    async def outcome(
        self, submission: Submission, body: AsyncIterator[Bytes] | None = None, *, was_woken: bool = False
    ) -> Outcome:
        """Return the worker's response, or the slot that is taken; close it unless it is a Reply.

        `body` is the request's body if the call does not contain it; it is read as the worker grants credit.
        `was_woken`: the caller has waited until the conversation woke it. Cancelling takes the request back, wherever
        it is: a worker that has it ends its call. Raises GatewayError, and what the body raises.
        """
        while True:
            try:
                return await self._outcome(submission, body, was_woken=was_woken)
            except NotQueued:
                if self.is_closing or not submission.is_timely:
                    raise
            # A new id, so that a late submit of the first is not taken for the second.
            job_id, was_woken = new_job_id(), False
            submission.rename(job_id, self._inbox.expect(job_id))
            self._begin(submission)

    def is_granted(self, submission: Submission) -> bool:
        """Return whether this gateway may send a request: one of its slots is taken for it, or another one's."""
        if self._has_own_slot(submission):
            return True
        return isinstance(submission.conversation.next_part, Go) and self._heartbeat.has_lasted

    def give_up(self, submission: Submission, *, has_ended: bool) -> None:
        """Wait for a request no more: free its slot, or take it back, wherever it is, unless it has ended."""
        self._close(submission, None, has_ended)

    def _has_own_slot(self, submission: Submission) -> bool:
        return self._slots is not None and self._slots.holds(submission.job_id)

    def _begin(self, submission: Submission) -> None:
        if self._submits.is_blocked:
            self._inbox.forget(submission.job_id)
            raise _not_queued("unsent", submission, self._outage.problem)
        if submission.on_submit is not None:
            submission.on_submit(submission.job_id)
        if self._slots is not None:
            self._slots.expect(submission)
        self._submits.put(submission)

    async def _outcome(self, submission: Submission, body: AsyncIterator[Bytes] | None, *, was_woken: bool) -> Outcome:
        conversation = submission.conversation
        uploading = None
        if body is not None:
            uploading = asyncio.create_task(upload(body, conversation, self._publisher(submission)))
        close = partial(self._close, submission, uploading)
        try:
            first = await self._first_part(submission, uploads=body is not None, was_woken=was_woken)
            if submission.on_worker is not None and not isinstance(first, Go):
                submission.on_worker(first.times)
            if isinstance(first, Head):
                publish, uploads = self._publisher(submission), body is not None
                return Stream(first, conversation, self._settings, publish, close, uploads=uploads)
            if isinstance(first, Go):
                if uploading is not None:
                    uploading.cancel()  # nothing of the body was taken yet
                if self._has_own_slot(submission):
                    return OwnSlot(partial(close, has_ended=True))
                return await self._permit(conversation, close)
        except BaseException as error:
            close(has_ended=isinstance(error, _NOTHING_TO_TAKE_BACK))
            raise
        close(has_ended=True)
        if isinstance(first, Failure):
            raise error_for(first.slug, first.detail)
        return first

    def _close(self, submission: Submission, uploading: asyncio.Task[None] | None, has_ended: bool) -> None:
        self._inbox.forget(submission.job_id)
        self._unclaimed.end(submission.conversation)
        if uploading is not None:
            uploading.cancel()
        if self._slots is not None:
            if self._slots.release(submission.job_id):
                return
            if not has_ended and submission.conversation.has_received_go:
                self._slots.turns.give_back(submission.job_id)
                return
        if not self._submits.take_back(submission) and not has_ended and submission.sent is not None:
            self._withdrawals.begin(submission.job_id, submission.priority, submission.sent)

    def _note_submitted(self, submission: Submission, outcome: SubmitOutcome) -> None:
        """Act on the outcome of a submit. The response may have come before it."""
        conversation = submission.conversation
        if outcome == "started" and self._slots is not None:
            self._slots.grant(submission)
            return
        if outcome == "queued" or conversation.has_received:  # a worker has it; only the answer to the submit was lost
            if self._inbox.watch(submission.job_id) and not conversation.has_received:
                self._unclaimed.begin(conversation, submission.ttl_seconds)
        else:
            conversation.fail(_not_queued(outcome, submission, self._outage.problem))

    async def _permit(self, conversation: Conversation, close: Callable[[bool], None]) -> Permit:
        if not self._heartbeat.has_lasted:
            await self._heartbeat.next_sign()  # or the second attempt would fail in the same way
            raise NotSent("this gateway was away for so long that its worker may have freed the slot")
        return Permit(conversation, close)

    def _end_unknown(self, job_id: str) -> None:
        if not self.is_closing:
            self._withdrawals.begin_unknown(job_id)

    def _end_lent(self, request_id: str) -> None:
        if self._slots is not None:
            self._slots.end_lent(request_id)

    def _overdue_seconds(self) -> float:
        return 0.0 if self._slots is None else self._slots.turns.overdue_seconds()

    async def _first_part(
        self, submission: Submission, *, uploads: bool, was_woken: bool
    ) -> Reply | Failure | Head | Go:
        conversation = submission.conversation
        if not was_woken:
            await conversation.wait_until_ready()  # or until its TTL is over
        if not conversation.is_ready:
            await self._wait_for_worker(submission, uploads=uploads)
        first = conversation.take()
        if isinstance(first, Reply | Failure | Head | Go):
            return first
        raise RequestLost(f"a worker began its answer with {type(first).__name__}")

    async def _wait_for_worker(self, submission: Submission, *, uploads: bool) -> None:
        conversation = submission.conversation
        if not conversation.has_received:
            if await self._withdrawals.withdraw_unstarted(submission.job_id, submission.priority):
                raise WaitedTooLong(f"no worker took the request within {submission.ttl_seconds} s")
            conversation.note_progress()
        # A worker has it. It answers within the target's timeout, or loses its lease; this limit is for a worker that
        # does neither.
        most_silence_seconds = silence.of_worker_before_response(
            self._settings.timeout, self._settings.client_timeout, self._settings.frames_in_flight, uploads=uploads
        )
        while not conversation.is_ready:
            silent_seconds = time.monotonic() - conversation.progressed_at
            remaining_seconds = most_silence_seconds - silent_seconds
            if remaining_seconds <= 0:
                raise TargetTimeout("no answer came from the worker")
            await _within(remaining_seconds, conversation.wait_until_ready())

    def _publisher(self, submission: Submission) -> Publish:
        return partial(self._frames.publish, submission.job_id, submission.conversation)


def _not_queued(outcome: SubmitOutcome, submission: Submission, problem: str | None) -> GatewayError:
    """Return the error for a request that was not queued, or that may or may not be queued.

    `problem` is what is wrong with Redis, in words, if that is known.
    """
    problem = problem or "Redis does not answer"
    match outcome:
        case "full":
            return QueueFull(f"the {submission.priority} queue is full")
        case "late":
            return BrokerUnavailable("Redis was held up for too long, so the request was not queued")
        case "absent":
            return NotQueued("Redis has not taken the request")
        case "lost":
            return RequestLost("Redis does not know the request, and may have forgotten it")
        case "unknown" if not submission.is_idempotent:
            return RequestLost(f"{problem}; the request may have been queued before")
        case _:
            return BrokerUnavailable(f"{problem}, so the request cannot be queued")


async def _within(seconds: float, waiting: Coroutine[Any, Any, None]) -> None:
    with suppress(TimeoutError):
        async with Timeout(seconds):
            await waiting
