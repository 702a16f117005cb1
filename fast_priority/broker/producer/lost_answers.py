"""Finds the outcome of submits whose answer was lost.

Theory of operation. A submit that was never written, or that Redis refused, is not queued: its client may send the
request again. A submit that was written and not answered may be queued, forwarded to the target, or lost. So the
gateway asks Redis about it, on another connection (`recall`). If that question fails as well, Redis is away. From then
on the outbox is blocked: it writes nothing more until a question is answered, so that no further request becomes
uncertain.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from redis.exceptions import TimeoutError as RedisTimeoutError

from fast_priority.broker import times
from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.producer.context import SubmitContext
from fast_priority.broker.producer.recall import Recall, inbox_was_read
from fast_priority.broker.producer.submission import ASK_SECONDS, Submission, SubmitOutcome
from fast_priority.protocol.conversation import Conversation
from fast_priority.support.background import Background
from fast_priority.support.elapsed import Moment

_LEAST_ASK_SECONDS = 0.1
_PROBE_SECONDS = 1.0
_BREAKING_SECONDS = 0.5
_AGAIN_SECONDS = 0.05
_WITHIN_A_LEASE_SECONDS = times.LEASE_SECONDS - 0.5


class Situation(NamedTuple):
    """When submits were written, and what was known of Redis at that moment."""

    written: Moment
    server: bytes
    upsets: int


class LostAnswers:
    """Asks about submits whose answer was lost, and blocks their outbox while Redis is away.

    `give_up_unsent` is called when Redis turns out to be away: what is not written yet will not be.
    """

    def __init__(
        self,
        context: SubmitContext,
        give_up_unsent: Callable[[], None],
    ) -> None:
        self._recall = Recall(context.options, context.gateway_id, context.health, context.inbox)
        self._health = context.health
        self._note_outcome = context.note
        self._give_up_unsent = give_up_unsent
        self.outage = context.outage.of("cannot queue requests")
        """What the log says about submits."""
        self._settling = Background()
        self.is_blocked = False
        """Whether nothing is written now, because Redis does not answer."""

    async def close(self) -> None:
        """Ask no more."""
        await self._settling.close()
        await self._recall.close()

    def situation(self) -> Situation:
        """Return the situation in which submits are written now."""
        return Situation(Moment.now(), self._health.server, self._health.upsets)

    def note(self, submission: Submission, outcome: SubmitOutcome) -> None:
        """Note the outcome of a submission, unless one was noted before."""
        if not submission.is_noted:
            submission.is_noted = True
            self._note_outcome(submission, outcome)

    async def resolve(
        self, submissions: Sequence[Submission], before: Situation, error: Exception
    ) -> Sequence[SubmitOutcome]:
        """Return the outcomes of submits whose answer was lost with this error. It notes only those that are urgent.

        An answer to one that is absent or lost may still be in the inbox: these outcomes are noted once it was read.
        """
        states, marker = await self._recall_until_answered(submissions, error)
        # If a lease may have ended, or Redis may have lost data, a missing job does not prove that no worker had it.
        is_same_server = before.server != b"" and before[1:] == (self._health.server, self._health.upsets)
        is_certain = is_same_server and before.written.elapsed_seconds() < _WITHIN_A_LEASE_SECONDS
        absent: SubmitOutcome = "absent" if is_certain else "lost"
        missing = [each for each, state in zip(submissions, states, strict=True) if state == "absent"]
        if missing:
            self._settling.run(self._settle(missing, absent, marker))
        return [absent if state == "absent" else "queued" for state in states]

    async def _recall_until_answered(
        self, submissions: Sequence[Submission], lost: Exception
    ) -> tuple[Sequence[str], Conversation]:
        """Ask Redis about these submits until it answers. If it does not answer in time, their outcome is unknown."""
        job_ids = [submission.job_id for submission in submissions]
        lost_at = time.monotonic()
        due_at = min(submission.until for submission in submissions) + ASK_SECONDS
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
                        self.note(submission, "unknown")
                await asyncio.sleep(min(_AGAIN_SECONDS, remaining_seconds) if remaining_seconds > 0 else _AGAIN_SECONDS)
            else:
                self.is_blocked = False
                self.outage.recovered()
                return answer

    def _block(self, error: Exception) -> None:
        self.outage.failure(error)
        self._health.note_away()
        self.is_blocked = True
        self._give_up_unsent()

    async def _settle(self, missing: Sequence[Submission], absent: SubmitOutcome, marker: Conversation) -> None:
        was_read = await inbox_was_read(marker)
        for submission in missing:
            if submission.conversation.has_received:  # its answer was in the inbox
                self.note(submission, "queued")
            else:
                self.note(submission, absent if was_read else "lost")
