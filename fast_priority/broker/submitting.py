"""The gateway's side of the queues: submit a request, hear what comes of it, take it back."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from redis.exceptions import ResponseError

from fast_priority.broker import connecting, keys, scripts
from fast_priority.broker.batching import Batcher
from fast_priority.broker.clock import RedisClock
from fast_priority.broker.inbox import Inbox
from fast_priority.broker.jobs import JobTemplate, new_job_id
from fast_priority.broker.round_trip import Argument, Command, send_together
from fast_priority.broker.streaming import Permit, Say, Stream, upload
from fast_priority.broker.withdrawing import Withdrawals
from fast_priority.conversation import Conversation
from fast_priority.deadlines import Deadlines
from fast_priority.errors import (
    BrokerUnavailable,
    GatewayError,
    NotSent,
    QueueFull,
    RequestLost,
    TargetTimeout,
    WaitedTooLong,
    error_for,
)
from fast_priority.message import (
    GRACE_SECONDS,
    MOST_CHUNK_BYTES,
    SLOWEST_BYTES_PER_SECOND,
    Bytes,
    Failure,
    Frame,
    Go,
    Head,
    Part,
    Reply,
    encode,
)
from fast_priority.priority import Priority
from fast_priority.repeating import Attempt, may_be_repeated
from fast_priority.settings import Settings
from fast_priority.tasks import end_all, keep_doing
from fast_priority.trouble import Trouble

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 64
_MOST_BYTES_AT_ONCE = 1024 * 1024  # so that small requests do not wait for many large ones to travel
_SUBMIT_SECONDS = 1.8  # so that a client hears of a Redis that hangs within 2 s
_MEMORY_AGAIN_SECONDS = 0.2
_SIGN_OF_LIFE_SECONDS = 3.0
_SIGN_OF_LIFE_AGAIN_SECONDS = 0.5

_NOTHING_TO_TAKE_BACK = (QueueFull, WaitedTooLong)
"""After these, nothing of the request is left anywhere."""

Outcome = Reply | Stream | Permit
"""What comes of a request: a whole response, one that is under way, or the slot that the call has asked for."""
SubmitOutcome = Literal["queued", "full", "late", "unknown"]
"""The last: no answer came."""


class _Submission(NamedTuple):
    conversation: Conversation
    job_id: str
    priority: Priority
    data: bytes
    description: str
    until: float  # by time.monotonic; later its client has been told 503
    goes_first: bool
    may_be_repeated: bool


class Submitter:
    """One gateway process at the queues.

    `ask` is all there is to it: it submits a request and gives the answer. Submits of one event-loop turn share a round
    trip, and so do withdrawals and what is said to workers. Use it as an async context manager.
    """

    def __init__(self, settings: Settings) -> None:
        options = connecting.redis_options(settings)
        self.gateway_id = uuid4().hex
        self._settings = settings
        self._redis = connecting.connect(options)
        self._clock = RedisClock()
        self._trouble = Trouble("cannot queue requests", logger)
        self._repeated = Trouble("a request came to nothing, and is queued again, in front", logger)
        self._is_closing = False
        self._unaccepted: Deadlines[Conversation] = Deadlines(_SUBMIT_SECONDS, self._give_submit_up)
        self._untaken: Deadlines[Conversation] = Deadlines(settings.ttl, Conversation.stir)
        self._inbox = Inbox(self.gateway_id, options, settings.poll_interval, self._end_unknown)
        self._template = JobTemplate(settings.ttl)
        self._submits: Batcher[_Submission, SubmitOutcome] = Batcher(
            self._submit_all,
            _MOST_AT_ONCE,
            weigh=lambda submission: len(submission.data),
            most_weight=_MOST_BYTES_AT_ONCE,
        )
        self._withdrawals = Withdrawals(self._redis)
        self._sayings: Batcher[tuple[str, bytes], ResponseError | None] = Batcher(
            self._say_all,
            _MOST_AT_ONCE,
            weigh=lambda saying: len(saying[1]),
            most_weight=_MOST_BYTES_AT_ONCE,
        )
        self._life: asyncio.Task[None] | None = None
        self._lives_until = 0.0  # for workers, at the least; by time.monotonic

    async def __aenter__(self) -> "Submitter":
        self._lives_until = time.monotonic() + keys.GATEWAY_TTL_SECONDS  # there is nothing yet that could be given up
        self._inbox.open()
        self._life = asyncio.create_task(
            keep_doing(
                "cannot show Redis that this gateway lives",
                self._show_life,
                expected=connecting.LOST,
                again_seconds=_SIGN_OF_LIFE_AGAIN_SECONDS,
                logger=logger,
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        if self._life is not None:
            await end_all([self._life])
        self._unaccepted.close()
        self._untaken.close()
        await self._withdrawals.close()
        await self._inbox.close()
        with suppress(*connecting.LOST):  # it expires by itself
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
        """Queue the payload of a ForwardCall and give what a worker answers; close it if it is no Reply.

        `description` is what rq's tools show. `body` is the request's body if the call is without it; it is read when
        a worker wants it. A request that came to nothing, and may be sent again, is queued once more, in front of all
        others; it may unless its body was read, if it was not sent or `is_idempotent`. With an `attempt` only that one
        is made: a caller that sends the request itself, with a Permit, has to decide whether there is a second one.
        Cancelling takes the request back, wherever it is: a worker that has it ends its call. Raises GatewayError, and
        what the body raises.
        """
        new = partial(self._new_submission, priority, self._template.data(payload), description)
        if attempt is not None:
            if self._is_closing:
                raise RequestLost("the gateway stopped")
            return await self._ask(new(is_second=attempt == 2, may_be_repeated=is_idempotent and attempt == 1), body)
        first = new(is_second=False, may_be_repeated=is_idempotent)
        try:
            return await self._ask(first, body)
        except GatewayError as error:
            body_was_read = first.conversation.chunks_said > 0
            may_be_sent = may_be_repeated(error, is_idempotent=is_idempotent, body_was_read=body_was_read)
            if not may_be_sent or self._is_closing:
                raise
            self._repeated.met(error)
        return await self._ask(new(is_second=True, may_be_repeated=False), body)

    def _new_submission(
        self, priority: Priority, data: bytes, description: str, *, is_second: bool, may_be_repeated: bool
    ) -> _Submission:
        # Each under a name of its own, so that a late frame of the first is not taken for an answer to the second.
        job_id = new_job_id()
        return _Submission(
            self._inbox.expect(job_id),
            job_id,
            priority,
            data,
            description,
            _latest_moment(),
            goes_first=is_second,
            may_be_repeated=may_be_repeated,
        )

    async def _ask(self, submission: _Submission, body: AsyncIterator[Bytes] | None) -> Outcome:
        conversation = submission.conversation
        sent = self._submits.put(submission)
        self._unaccepted.begin(conversation)
        uploading = None
        if body is not None:
            uploading = asyncio.create_task(upload(body, conversation, self._say_to(submission)))
        close = partial(self._close, submission, sent, uploading)
        try:
            first = await self._first_part(submission, uploads=body is not None)
            if isinstance(first, Head):
                return Stream(first, conversation, self._settings, self._say_to(submission), close)
            if isinstance(first, Go):
                return self._permit(conversation, close)
        except BaseException as error:
            close(has_ended=isinstance(error, _NOTHING_TO_TAKE_BACK))
            raise
        close(has_ended=True)
        if isinstance(first, Failure):
            raise error_for(first.slug, first.detail)
        return first

    def _close(
        self,
        submission: _Submission,
        sent: asyncio.Future[SubmitOutcome],
        uploading: asyncio.Task[None] | None,
        has_ended: bool,
    ) -> None:
        self._inbox.forget(submission.job_id)
        self._unaccepted.end(submission.conversation)
        self._untaken.end(submission.conversation)
        if uploading is not None:
            uploading.cancel()
        if not has_ended and not self._submits.take_back(sent):
            self._withdrawals.begin(submission.job_id, submission.priority, sent)

    def _note_submitted(self, submission: _Submission, outcome: SubmitOutcome) -> None:
        """Hear what came of a submit. Nobody waits for that by itself: the answer is all that a client waits for."""
        conversation = submission.conversation
        self._unaccepted.end(conversation)
        if outcome == "late":
            conversation.fail(BrokerUnavailable("Redis was held up for too long, so the request was not queued"))
        elif outcome == "full":
            conversation.fail(QueueFull(f"the {submission.priority} queue is full"))
        elif self._inbox.look_after(submission.job_id) and not conversation.was_heard_of:
            self._untaken.begin(conversation)

    def _note_not_submitted(self, submission: _Submission, error: Exception) -> None:
        self._unaccepted.end(submission.conversation)
        if submission.conversation.was_heard_of:  # it was queued: a worker has it, only the answer was lost
            self._inbox.look_after(submission.job_id)
        self._fail_submit(submission.conversation, error)

    def _give_submit_up(self, conversation: Conversation) -> None:
        # Never before `until`: Redis may queue the request up to then.
        self._fail_submit(conversation, TimeoutError(f"no answer within {_SUBMIT_SECONDS} s"))

    def _fail_submit(self, conversation: Conversation, error: Exception) -> None:
        if conversation.was_heard_of:
            return
        if not isinstance(error, connecting.LOST):
            conversation.fail(error)
            return
        self._trouble.met(error)
        failure = BrokerUnavailable("Redis does not answer, so the request cannot be queued")
        failure.__cause__ = error
        conversation.fail(failure)

    def _permit(self, conversation: Conversation, close: Callable[[bool], None]) -> Permit:
        if time.monotonic() > self._lives_until:
            raise NotSent("this gateway was away for so long that its worker may have freed the slot")
        return Permit(conversation, close)

    def _end_unknown(self, job_id: str) -> None:
        if not self._is_closing:
            self._withdrawals.begin_unknown(job_id)

    async def _first_part(self, submission: _Submission, *, uploads: bool) -> Reply | Failure | Head | Go:
        conversation = submission.conversation
        await conversation.news()  # or its TTL is over
        if not conversation.has_news:
            await self._wait_for_news(submission, uploads=uploads)
        first = conversation.take()
        if isinstance(first, Reply | Failure | Head | Go):
            return first
        raise RequestLost(f"a worker began its answer with {type(first).__name__}")

    async def _wait_for_news(self, submission: _Submission, *, uploads: bool) -> None:
        conversation = submission.conversation
        if not conversation.was_heard_of:
            if await self._withdrawals.withdraw_unstarted(submission.job_id, submission.priority):
                raise WaitedTooLong(f"no worker took the request within {self._settings.ttl} s")
            conversation.progress()
        # A worker has it, and answers within the target's timeout or loses its lease. This bound is for neither. While
        # a body goes up, the target may take it as slowly as is allowed without a word.
        taking_seconds = self._settings.frames_in_flight * MOST_CHUNK_BYTES / SLOWEST_BYTES_PER_SECOND if uploads else 0
        most_silence_seconds = self._settings.timeout + GRACE_SECONDS + taking_seconds
        while not conversation.has_news:
            silent_seconds = time.monotonic() - conversation.progressed_at
            patience_seconds = most_silence_seconds - silent_seconds
            if patience_seconds <= 0:
                raise TargetTimeout("no answer came from the worker")
            await _at_most(patience_seconds, conversation.news())

    async def _submit_all(self, submissions: Sequence[_Submission]) -> Sequence[SubmitOutcome]:
        try:
            outcomes = await self._submitted(submissions)
        except Exception as error:
            for submission in submissions:
                self._note_not_submitted(submission, error)
            return ["unknown"] * len(submissions)
        self._trouble.over()
        for submission, outcome in zip(submissions, outcomes, strict=True):
            self._note_submitted(submission, outcome)
        return outcomes

    async def _submitted(self, submissions: Sequence[_Submission]) -> Sequence[SubmitOutcome]:
        settings, constants = self._settings, self._template.constant_fields
        now, ahead = self._template.now(), await self._clock.ahead(self._redis)
        arguments: list[Argument] = [
            keys.JOB_PREFIX, self.gateway_id, settings.ttl, settings.max_queued_high, settings.max_queued_low,
            keys.MOST_WAKE_UPS, keys.WAKE_UP_TTL_SECONDS, keys.GATEWAY_TTL_SECONDS, keys.QUEUE_GRACE_SECONDS,
            len(constants), *constants,
        ]  # fmt: skip
        for _, job_id, priority, data, description, until, goes_first, again in submissions:
            arguments += (
                job_id, priority.value, data, now, description, until + ahead, int(goes_first), int(again)
            )  # fmt: skip
        touched = [*keys.LANES, keys.WAKE_UP, keys.gateway(self.gateway_id)]
        outcomes: list[bytes] = await scripts.SUBMIT.run(self._redis, touched, arguments)
        return [outcome.decode() for outcome in outcomes]  # type: ignore[misc]

    def _say_to(self, submission: _Submission) -> Say:
        return partial(self._say, submission.job_id, submission.conversation)

    def _say(self, job_id: str, conversation: Conversation, part: Part) -> asyncio.Future[None]:
        said: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put_saying(conversation, encode(Frame(job_id, part)), said)
        return said

    def _put_saying(self, conversation: Conversation, frame: bytes, said: asyncio.Future[None]) -> None:
        if not said.done():
            sent = self._sayings.put((conversation.mailbox, frame))
            sent.add_done_callback(partial(self._note_said, conversation, frame, said))

    def _note_said(
        self,
        conversation: Conversation,
        frame: bytes,
        said: asyncio.Future[None],
        sent: asyncio.Future[ResponseError | None],
    ) -> None:
        if sent.cancelled():
            said.cancel()
            return
        refusal = sent.exception() or sent.result()
        if said.done():
            return
        if refusal is None:
            said.set_result(None)
        elif scripts.is_out_of_memory(refusal):
            asyncio.get_running_loop().call_later(_MEMORY_AGAIN_SECONDS, self._put_saying, conversation, frame, said)
        else:
            failure = BrokerUnavailable("Redis does not answer, so the request cannot be carried on")
            conversation.fail(failure)
            said.set_exception(failure)
            said.exception()  # looked at: whoever does not wait for it has heard by the conversation

    async def _say_all(self, sayings: Sequence[tuple[str, bytes]]) -> Sequence[ResponseError | None]:
        """Push frames on mailboxes, and give for each what Redis refused it with, if it did."""
        pushes: list[Command] = [("RPUSH", keys.inbox(mailbox), frame) for mailbox, frame in sayings]
        mailboxes = {mailbox for mailbox, _ in sayings}
        ends: list[Command] = [("EXPIRE", keys.inbox(mailbox), keys.INBOX_TTL_SECONDS) for mailbox in mailboxes]
        answers = (await send_together(self._redis, [*pushes, *ends]))[: len(pushes)]
        # What is small and refused for want of memory is pushed by a script, which is not.
        by_script = [
            number
            for number, answer in enumerate(answers)
            if isinstance(answer, ResponseError)
            and scripts.is_out_of_memory(answer)
            and len(sayings[number][1]) <= keys.MOST_BYTES_WITHOUT_MEMORY
        ]
        if by_script:
            calls = [
                scripts.Call(scripts.PUSH, [keys.inbox(mailbox)], [keys.INBOX_TTL_SECONDS, frame])
                for mailbox, frame in (sayings[number] for number in by_script)
            ]
            for number, answer in zip(by_script, await scripts.run_together(self._redis, calls), strict=True):
                answers[number] = answer
        return [answer if isinstance(answer, ResponseError) else None for answer in answers]

    async def _show_life(self) -> None:
        await self._clock.set_by(self._redis)
        key, shown_at = keys.gateway(self.gateway_id), time.monotonic()
        # EXPIRE is carried out even by a Redis that is out of memory. What becomes of rq's register, with no memory or
        # as a key of another type, concerns rq's tools alone.
        steps: list[Command] = [("EXPIRE", key, keys.GATEWAY_TTL_SECONDS), ("SADD", keys.QUEUES, *keys.LANES)]
        is_known, _ = await scripts.run_together(self._redis, steps)
        if not is_known:
            await self._redis.set(key, "1", ex=keys.GATEWAY_TTL_SECONDS)
        self._lives_until = shown_at + keys.GATEWAY_TTL_SECONDS
        await asyncio.sleep(_SIGN_OF_LIFE_SECONDS)


def _latest_moment() -> float:
    return time.monotonic() + _SUBMIT_SECONDS


async def _at_most(seconds: float, happening: Coroutine[Any, Any, None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await happening
