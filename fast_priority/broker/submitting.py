"""The gateway's side of the queues: submit a request, wait for its answer, take it back."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NamedTuple
from uuid import uuid4

from fast_priority.broker import connecting, keys, scripts
from fast_priority.broker.batching import Batcher
from fast_priority.broker.inbox import Inbox, Outcome
from fast_priority.broker.jobs import JobTemplate, new_job_id
from fast_priority.errors import BrokerUnavailable, QueueFull, TargetTimeout, WaitedTooLong
from fast_priority.priority import Priority
from fast_priority.settings import Settings
from fast_priority.tasks import end_all

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 64
_SUBMIT_SECONDS = 1.8  # so that a client hears of a Redis that hangs within 2 s
_SIGN_OF_LIFE_SECONDS = 3.0
_ANSWER_GRACE_SECONDS = 15.0  # over TTL and timeout; every ordinary end comes before

WithdrawOutcome = Literal["withdrawn", "started", "gone"]


class _Submission(NamedTuple):
    job_id: str
    priority: Priority
    data: bytes
    description: str


class Submitter:
    """One gateway process at the queues.

    `ask` is all there is to it: it submits a request and gives the answer. Submits of one event-loop turn share a round
    trip, and so do withdrawals. Use it as an async context manager.
    """

    def __init__(self, settings: Settings) -> None:
        options = connecting.redis_options(settings)
        self.gateway_id = uuid4().hex
        self._settings = settings
        self._redis = connecting.connect(options)
        self._inbox = Inbox(self.gateway_id, options, settings.poll_interval)
        self._template = JobTemplate(settings.ttl, settings.timeout)
        self._submits: Batcher[_Submission, bool] = Batcher(self._submit_all, _MOST_AT_ONCE)
        self._withdrawals: Batcher[_Submission, WithdrawOutcome] = Batcher(self._withdraw_all, _MOST_AT_ONCE)
        self._life: asyncio.Task[None] | None = None
        # Withdrawals under way; a task that nothing refers to may be collected before it has run.
        self._background: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Submitter":
        self._inbox.open()
        self._life = asyncio.create_task(self._show_life())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._life is not None:
            await end_all([self._life])
        await asyncio.gather(*self._background)
        await self._inbox.close()
        with suppress(*connecting.LOST):  # it expires by itself
            await self._redis.delete(keys.gateway(self.gateway_id))
        await self._redis.aclose()

    @property
    def waiting(self) -> int:
        """How many requests of this gateway wait for an answer."""
        return self._inbox.waiting

    async def ask(self, priority: Priority, payload: bytes, description: str) -> Outcome:
        """Queue the payload of a ForwardCall and give what a worker answers.

        `description` is what rq's tools show. Cancelling withdraws the request if no worker has started it.
        Raises BrokerUnavailable, QueueFull, WaitedTooLong, WorkerLost or TargetTimeout.
        """
        submission = _Submission(new_job_id(), priority, self._template.data(payload), description)
        answer = self._inbox.expect(submission.job_id)
        try:
            await self._submit(submission)
            return await self._answer_in_time(submission, answer)
        except (asyncio.CancelledError, BrokerUnavailable):
            # It is queued, or may be: a submit whose answer was lost can have been carried out.
            self._withdraw_soon(submission)
            raise
        finally:
            self._inbox.forget(submission.job_id)

    async def _submit(self, submission: _Submission) -> None:
        try:
            async with asyncio.timeout(_SUBMIT_SECONDS):
                accepted = await self._submits.ask(submission)
        except connecting.LOST as error:
            logger.warning("cannot queue a request: %s", error)
            raise BrokerUnavailable("Redis does not answer; nothing was queued") from error
        if not accepted:
            raise QueueFull(f"the {submission.priority} queue is full")

    async def _answer_in_time(self, submission: _Submission, answer: asyncio.Future[Outcome]) -> Outcome:
        await asyncio.wait([answer], timeout=self._settings.ttl)
        if not answer.done() and await self._was_never_started(submission):
            raise WaitedTooLong(f"no worker took the request within {self._settings.ttl} s")
        # A worker has it, and answers within the target's timeout or loses its lease. This bound is for neither.
        await asyncio.wait([answer], timeout=self._settings.timeout + _ANSWER_GRACE_SECONDS)
        if not answer.done():
            raise TargetTimeout("no answer came from the worker")
        return answer.result()

    async def _was_never_started(self, submission: _Submission) -> bool:
        try:
            return await self._withdrawals.ask(submission) == "withdrawn"
        except connecting.LOST:
            return True  # Redis is away, and with it every worker's chance to start the request

    def _withdraw_soon(self, submission: _Submission) -> None:
        task = asyncio.create_task(self._withdraw_quietly(submission))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _withdraw_quietly(self, submission: _Submission) -> None:
        try:
            await self._withdrawals.ask(submission)
        except connecting.LOST as error:
            logger.warning("cannot withdraw a request: %s", error)

    async def _submit_all(self, submissions: Sequence[_Submission]) -> Sequence[bool]:
        settings, constants = self._settings, self._template.constant_fields
        now = self._template.now()
        arguments: list[scripts.Argument] = [
            keys.JOB_PREFIX, self.gateway_id, settings.ttl, settings.max_queued_high, settings.max_queued_low,
            keys.MOST_WAKE_UPS, keys.WAKE_UP_TTL_SECONDS, keys.GATEWAY_TTL_SECONDS, keys.QUEUE_GRACE_SECONDS,
            len(constants), *constants,
        ]  # fmt: skip
        for job_id, priority, data, description in submissions:
            arguments += (job_id, priority.value, data, now, description)
        touched = [
            keys.queue(Priority.HIGH), keys.queue(Priority.LOW),
            keys.WAKE_UP, keys.gateway(self.gateway_id), keys.QUEUES,
        ]  # fmt: skip
        accepted: list[int] = await scripts.SUBMIT.run(self._redis, touched, arguments)
        return [flag == 1 for flag in accepted]

    async def _withdraw_all(self, submissions: Sequence[_Submission]) -> Sequence[WithdrawOutcome]:
        arguments: list[scripts.Argument] = [keys.JOB_PREFIX]
        for submission in submissions:
            arguments += (submission.job_id, submission.priority.value)
        touched = [keys.queue(Priority.HIGH), keys.queue(Priority.LOW)]
        outcomes: list[bytes] = await scripts.WITHDRAW.run(self._redis, touched, arguments)
        return [outcome.decode() for outcome in outcomes]  # type: ignore[misc]

    async def _show_life(self) -> None:
        while True:
            try:
                await self._redis.set(keys.gateway(self.gateway_id), "1", ex=keys.GATEWAY_TTL_SECONDS)
            except connecting.LOST as error:
                logger.warning("cannot show Redis that this gateway lives, trying again: %s", error)
            await asyncio.sleep(_SIGN_OF_LIFE_SECONDS)
