"""The gateway's side of the queues: submit a request, receive its answer, take it back."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

from fast_priority.broker import keys
from fast_priority.broker.connection import CONNECTION_ERRORS, RedisHealth, connect, redis_options
from fast_priority.broker.jobs import new_job_id
from fast_priority.broker.producer.frame_outbox import FrameOutbox
from fast_priority.broker.producer.heartbeat import Heartbeat
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.broker.producer.streams import Permit, Say, Stream, upload
from fast_priority.broker.producer.submit_outbox import Outcome as SubmitOutcome
from fast_priority.broker.producer.submit_outbox import Submission, SubmitOutbox
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
    without_traces,
)
from fast_priority.http.deployment import Deployment
from fast_priority.http.message import Bytes, Reply
from fast_priority.protocol import silence
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Failure, Go, Head
from fast_priority.protocol.retry import Attempt, error_of_both, is_retryable
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all, keep_doing
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.stalls import Timeout
from fast_priority.support.timeout_queue import TimeoutQueue

logger = logging.getLogger(__name__)

_SIGN_OF_LIFE_AGAIN_SECONDS = 0.5

_NOTHING_TO_TAKE_BACK = (QueueFull, WaitedTooLong)
"""After these, nothing of the request is left anywhere."""

Outcome = Reply | Stream | Permit
"""What comes of a request: a whole response, one that is under way, or the slot that the call has asked for."""


class Submitter:
    """One gateway process at the queues.

    `ask` is all there is to it: it submits a request and returns the answer. Submits of one event-loop turn share a
    round trip, and so do withdrawals and what is sent to workers. Use it as an async context manager.
    """

    def __init__(self, settings: Settings) -> None:
        options = redis_options(settings)
        self.gateway_id = uuid4().hex
        self.deployment = Deployment()
        """The name of all gateways on this Redis, once that is known."""
        self._settings = settings
        self._redis = connect(options)
        self._repeated = OutageLog("a request came to nothing, and is queued again, in front", logger)
        self._is_closing = False
        self._untaken: TimeoutQueue[Conversation] = TimeoutQueue(settings.ttl, Conversation.wake)
        health = RedisHealth()
        self._inbox = Inbox(self.gateway_id, options, settings.poll_interval, health, self._end_unknown)
        self._submits = SubmitOutbox(options, settings, self.gateway_id, health, self._inbox, self._note_submitted)
        self._frames = FrameOutbox(self._redis)
        self._withdrawals = Withdrawals(self._redis)
        self._heartbeat = Heartbeat(self._redis, self.gateway_id, health, self.deployment)
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Submitter":
        self._inbox.open()
        self._beating = asyncio.create_task(
            keep_doing(
                "cannot show Redis that this gateway lives",
                self._heartbeat.beat_once,
                expected=CONNECTION_ERRORS,
                again_seconds=_SIGN_OF_LIFE_AGAIN_SECONDS,
                logger=logger,
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        if self._beating is not None:
            await end_all([self._beating])
        self._untaken.close()
        await self._submits.close()
        await self._frames.close()
        await self._withdrawals.close()
        await self._inbox.close()
        with suppress(*CONNECTION_ERRORS):  # it expires by itself
            await self._redis.delete(keys.gateway(self.gateway_id))
        await self._redis.aclose()

    async def ask(
        self,
        priority: Priority,
        payload: bytes,
        description: str,
        body: AsyncIterator[Bytes] | None = None,
        *,
        is_idempotent: bool = False,
        attempt: Attempt | None = None,
    ) -> Outcome:
        """Queue the payload of a ForwardCall and return what a worker answers; close it if it is no Reply.

        `description` is what rq's tools show. `body` is the request's body if the call is without it; it is read when
        a worker wants it. A request that came to nothing, and may be sent again, is queued once more, in front of all
        others; it may unless its body was read, if it was not sent or `is_idempotent`. With an `attempt` only that one
        is made: a caller that sends the request itself, with a Permit, has to decide whether there is a second one.
        Cancelling takes the request back, wherever it is: a worker that has it ends its call. Raises GatewayError, and
        what the body raises.
        """
        new = partial(self._new_submission, priority, self._submits.data(payload), description, is_idempotent)
        if attempt is not None:
            if self._is_closing:
                raise RequestLost("the gateway stopped")
            return await self._ask_until_queued(new(is_second=attempt == 2), body)
        first = new(is_second=False)
        try:
            return await self._ask_until_queued(first, body)
        except GatewayError as error:
            body_was_read = first.conversation.chunks_sent > 0
            if self._is_closing or not is_retryable(error, is_idempotent=is_idempotent, body_was_read=body_was_read):
                raise
            self._repeated.failure(error)
            first_error = error
        without_traces(first_error)
        try:
            return await self._ask_until_queued(new(is_second=True), body)
        except GatewayError as error:
            raise error_of_both(first_error, error) from None

    def _new_submission(
        self, priority: Priority, data: bytes, description: str, is_idempotent: bool, *, is_second: bool
    ) -> Submission:
        # Each under an id of its own: nothing that still comes of the first is taken for an answer to the second.
        job_id = new_job_id()
        conversation = self._inbox.expect(job_id)
        return Submission(conversation, job_id, priority, data, description, is_idempotent, is_second)

    async def _ask_until_queued(self, submission: Submission, body: AsyncIterator[Bytes] | None) -> Outcome:
        while True:
            try:
                return await self._ask(submission, body)
            except NotQueued:
                if self._is_closing or not submission.is_timely:
                    raise
            # Under another id: should the first still arrive, it is taken for what it is.
            job_id = new_job_id()
            submission.rename(job_id, self._inbox.expect(job_id))

    async def _ask(self, submission: Submission, body: AsyncIterator[Bytes] | None) -> Outcome:
        conversation = submission.conversation
        if self._submits.is_blocked:
            self._inbox.forget(submission.job_id)
            raise _not_queued("unsent", submission)
        self._submits.put(submission)
        uploading = None
        if body is not None:
            uploading = asyncio.create_task(upload(body, conversation, self._say_to(submission)))
        close = partial(self._close, submission, uploading)
        try:
            first = await self._first_part(submission, uploads=body is not None)
            if isinstance(first, Head):
                say, uploads = self._say_to(submission), body is not None
                return Stream(first, conversation, self._settings, say, close, uploads=uploads)
            if isinstance(first, Go):
                return self._permit(conversation, close)
        except BaseException as error:
            close(has_ended=isinstance(error, _NOTHING_TO_TAKE_BACK))
            raise
        close(has_ended=True)
        if isinstance(first, Failure):
            raise error_for(first.slug, first.detail)
        return first

    def _close(self, submission: Submission, uploading: asyncio.Task[None] | None, has_ended: bool) -> None:
        self._inbox.forget(submission.job_id)
        self._untaken.end(submission.conversation)
        if uploading is not None:
            uploading.cancel()
        if not self._submits.take_back(submission) and not has_ended and submission.sent is not None:
            self._withdrawals.begin(submission.job_id, submission.priority, submission.sent)

    def _note_submitted(self, submission: Submission, outcome: SubmitOutcome) -> None:
        """Take the outcome of a submit. No client waits for that by itself: its answer may come first."""
        conversation = submission.conversation
        if outcome == "queued" or conversation.has_received:  # a worker has it: only the answer to the submit was lost
            if self._inbox.look_after(submission.job_id) and not conversation.has_received:
                self._untaken.begin(conversation)
        else:
            conversation.fail(_not_queued(outcome, submission))

    def _permit(self, conversation: Conversation, close: Callable[[bool], None]) -> Permit:
        if time.monotonic() > self._heartbeat.lives_until:
            raise NotSent("this gateway was away for so long that its worker may have freed the slot")
        return Permit(conversation, close)

    def _end_unknown(self, job_id: str) -> None:
        if not self._is_closing:
            self._withdrawals.begin_unknown(job_id)

    async def _first_part(self, submission: Submission, *, uploads: bool) -> Reply | Failure | Head | Go:
        conversation = submission.conversation
        await conversation.wait_until_ready()  # or its TTL is over
        if not conversation.is_ready:
            await self._wait_for_news(submission, uploads=uploads)
        first = conversation.take()
        if isinstance(first, Reply | Failure | Head | Go):
            return first
        raise RequestLost(f"a worker began its answer with {type(first).__name__}")

    async def _wait_for_news(self, submission: Submission, *, uploads: bool) -> None:
        conversation = submission.conversation
        if not conversation.has_received:
            if await self._withdrawals.withdraw_unstarted(submission.job_id, submission.priority):
                raise WaitedTooLong(f"no worker took the request within {self._settings.ttl} s")
            conversation.note_progress()
        # A worker has it, and answers within the target's timeout or loses its lease. This bound is for neither.
        most_silence_seconds = silence.of_worker_before_response(
            self._settings.timeout, self._settings.client_timeout, self._settings.frames_in_flight, uploads=uploads
        )
        while not conversation.is_ready:
            silent_seconds = time.monotonic() - conversation.progressed_at
            patience_seconds = most_silence_seconds - silent_seconds
            if patience_seconds <= 0:
                raise TargetTimeout("no answer came from the worker")
            await _at_most(patience_seconds, conversation.wait_until_ready())

    def _say_to(self, submission: Submission) -> Say:
        return partial(self._frames.publish, submission.job_id, submission.conversation)


def _not_queued(outcome: SubmitOutcome, submission: Submission) -> GatewayError:
    """Return the error for a request that was not queued, or of which it is not known whether it was."""
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
            return RequestLost("Redis does not answer; the request may have been queued before")
        case _:
            return BrokerUnavailable("Redis does not answer, so the request cannot be queued")


async def _at_most(seconds: float, happening: Coroutine[Any, Any, None]) -> None:
    with suppress(TimeoutError):
        async with Timeout(seconds):
            await happening
