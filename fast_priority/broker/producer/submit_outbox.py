"""Sends requests to their queues, in batches, and finds out whether each of them was queued."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import (
    CONNECTION_ERRORS,
    Batcher,
    NotCarriedOut,
    connect,
)
from fast_priority.broker.jobs import JobTemplate
from fast_priority.broker.producer.context import SubmitContext
from fast_priority.broker.producer.lost_answers import LostAnswers
from fast_priority.broker.producer.submission import SUBMIT_SECONDS, Submission, SubmitOutcome
from fast_priority.support.timeout_queue import TimeoutQueue

_MOST_TRIES = 5
_TRY_AGAIN_SECONDS = 0.02
_MOST_AT_ONCE = 64
_MOST_BYTES_AT_ONCE = 1024 * 1024  # so that small requests do not wait until many large ones were sent


class SubmitOutbox:
    """Puts the requests of one gateway on their queues. Those of one event-loop turn share a round trip."""

    def __init__(self, context: SubmitContext) -> None:
        self._redis: Redis = connect(context.options)
        self._lost = LostAnswers(context, self._give_up_all_unwritten)
        self._levels = context.levels
        self._gateway_id = context.gateway_id
        self._health = context.health
        self._template = JobTemplate()
        self._unwritten: TimeoutQueue[Submission] = TimeoutQueue(SUBMIT_SECONDS, self._give_up_unwritten)
        self._batches: Batcher[Submission, SubmitOutcome] = Batcher(
            self._send, _MOST_AT_ONCE, weigh=lambda submission: len(submission.data), most_weight=_MOST_BYTES_AT_ONCE
        )

    async def close(self) -> None:
        """Send no more."""
        self._unwritten.close()
        await self._batches.close()
        await self._lost.close()
        await self._redis.aclose()

    @property
    def is_blocked(self) -> bool:
        """Whether nothing is written now, because Redis does not answer."""
        return self._lost.is_blocked

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
            self._lost.note(submission, "unsent")

    def _give_up_all_unwritten(self) -> None:
        for submission in self._batches.take_all_back("unsent"):
            self._unwritten.end(submission)
            self._lost.note(submission, "unsent")

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
            if outcome not in ("absent", "lost"):  # see `LostAnswers.resolve`
                self._lost.note(submission, outcome)
        return list(outcomes.values())

    async def _send_once(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        before = self._lost.situation()
        try:
            outcomes = await self._submit_on_any_connection(submissions)
        except CONNECTION_ERRORS as error:
            if not scripts.is_refusal(error):
                return await self._lost.resolve(submissions, before, error)
            self._lost.outage.failure(error)
            return ["unsent"] * len(submissions)
        except Exception as error:  # unexpected, so nothing is certain
            for submission in submissions:
                submission.is_noted = True
                submission.conversation.fail(error)
            return ["unknown"] * len(submissions)
        self._lost.outage.recovered()
        return outcomes

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
        for each in submissions:
            each.priority = self._levels.place(each.priority)
        requests = [each.as_row(now, ahead_seconds) for each in submissions]
        until = min(each.until for each in submissions)
        asked_at = time.monotonic()
        server, seconds, microseconds, *outcomes = await self._call(requests).run(self._redis, until - asked_at)
        self._health.note_answer(server, (seconds, microseconds), asked_at)
        return [outcome.decode() for outcome in outcomes]

    def _call(self, requests: Sequence[scripts.SubmittedRequest]) -> scripts.SubmitCall:
        lanes = self._levels.lanes.current
        return scripts.SubmitCall(
            wake_up_key=keys.WAKE_UP,
            gateway_key=keys.gateway(self._gateway_id),
            queue_keys=lanes.queues,
            gateway_id=self._gateway_id,
            most_wake_ups=times.MOST_WAKE_UPS,
            gateway_ttl_ms=times.GATEWAY_TTL_MILLISECONDS,
            lanes=lanes.names,
            levels=self._levels.names,
            change=self._levels.change,
            holds_levels=self._levels.are_held,
            job_fields=self._template.constant_fields,
            limits=self._levels.limits(),
            requests=requests,
        )
