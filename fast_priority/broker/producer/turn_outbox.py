"""The submits of a gateway that has slots of its own: one round trip settles, starts or queues, and claims.

Theory of operation. A turn is one call of turn.lua. It takes along all that has come up since the last one: requests
that have ended, new requests, and free slots. Several turns are in flight on one connection, and their answers come in
order. A turn reserves the slots that it may fill, so no two turns fill the same one. While slots are free and nothing
waits, it reserves only one for each new request, so that the next turn has some as well.

What an answer starts begins in the moment in which the answer is read. If an answer is lost, nothing that it started
has run: its direct starts are asked for again, and its claims are fetched with the next connection. Requests that may
have been queued are looked for, as in `SubmitOutbox`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fast_priority.broker import scripts
from fast_priority.broker.connection import (
    NotCarriedOut,
    PipelinedConnection,
    connect,
)
from fast_priority.broker.jobs import Claim
from fast_priority.broker.producer.context import SubmitContext
from fast_priority.broker.producer.lost_answers import LostAnswers, Situation
from fast_priority.broker.producer.slot_ledger import SlotLedger
from fast_priority.broker.producer.submission import SUBMIT_SECONDS, Submission, SubmitOutcome
from fast_priority.broker.producer.turn import Turn, TurnAnswer, TurnFormat
from fast_priority.broker.producer.turn_rhythm import KnownWork, Rhythm
from fast_priority.broker.producer.turns_in_flight import TurnsInFlight
from fast_priority.broker.producer.unsent import Sent, UnsentSubmissions
from fast_priority.support.background import Background, end_all

logger = logging.getLogger(__name__)

_SETTLE_SECONDS = 0.002
"""How long the settling of a request waits for a turn that goes anyway."""
_RECONNECT_SECONDS = 0.05
_REFUSED_AGAIN_SECONDS = 0.2
_LAST_SECONDS = 1.0
_CONNECTING = "cannot start or queue requests"


class TurnOutbox:
    """Starts or queues the requests of one gateway, by its own slots.

    `on_claimed` is called with each request that was queued and has a slot now: this gateway's, another's, or a job
    that no gateway made.
    """

    def __init__(self, context: SubmitContext, ledger: SlotLedger, on_claimed: Callable[[Claim], None]) -> None:
        redis: Redis = connect(context.options)
        self._connection = PipelinedConnection(redis, self._note_open, self._note_answer, self._note_lost)
        self._lost = LostAnswers(context, self._give_up_all_unsent)
        self._redis_outage, self._outage = context.outage, context.outage.of(_CONNECTING)
        self._format = TurnFormat(context.gateway_id, context.health, context.levels)
        self._health = context.health
        self._ledger = ledger
        self._on_claimed = on_claimed
        self._unsent = UnsentSubmissions(self._note_due)
        self._turns = TurnsInFlight(self._note_overdue)
        self._rhythm = Rhythm(self._begin_turn)
        self._work = KnownWork()
        self._background = Background()
        self._connecting: asyncio.Task[None] | None = None
        self._is_closed = False

    def open(self) -> None:
        """Connect, and stay connected."""
        self._connecting = self._redis_outage.keep_doing(
            _CONNECTING, self._connection.read_until_lost, _RECONNECT_SECONDS
        )

    async def close(self) -> None:
        """Settle what has ended, and send no more."""
        self._begin_turn()
        await self._turns.wait_until_answered(_LAST_SECONDS)
        self._is_closed = True
        self._rhythm.close()
        self._unsent.close()
        self._turns.close()
        await end_all([] if self._connecting is None else [self._connecting])
        await self._background.close()
        await self._lost.close()
        await self._connection.close()

    @property
    def is_blocked(self) -> bool:
        """Whether nothing is written now, because Redis does not answer."""
        return self._lost.is_blocked

    @property
    def calm(self) -> asyncio.Event:
        """Set while a slot is free and nothing waits in Redis, as far as is known."""
        return self._work.calm

    def overdue_seconds(self) -> float:
        """Return for how long the oldest turn has been without an answer: it may have claimed requests."""
        return self._turns.overdue_seconds()

    def put(self, submission: Submission) -> None:
        """Send a submission with the next turn."""
        submission.sent = asyncio.get_running_loop().create_future()
        self._unsent.put(submission)
        self._rhythm.begin_soon()

    def take_back(self, submission: Submission) -> bool:
        """Remove a submission that is not written yet. Return whether it was removed."""
        return self._unsent.take_back(submission)

    def note_freed(self) -> None:
        """Note that a slot is free again: claim at once if requests wait, else settle soon."""
        self._work.note_free(self._ledger.free)
        if self._work.may_be_claimed or self._unsent:
            self._rhythm.begin_soon()
        else:
            self._rhythm.begin_within(_SETTLE_SECONDS)

    def give_back(self, job_id: str) -> None:
        """Tell the process that has lent a slot to this request that it needs it no more."""
        self._ledger.give_back(job_id)
        self._rhythm.begin_soon()

    def claim_soon(self) -> None:
        """Claim: there may be work of others."""
        self._work.may_be_claimed = True
        self._rhythm.begin_soon()

    def _begin_turn(self) -> None:
        """Send one turn, if there is anything to send, and the next one may be sent."""
        if self._is_closed or not self._connection.is_open:
            return
        for lost in self._turns.take_unanswered():
            lost.is_retry = True
            self._send(lost)
        if not self._turns.may_begin:
            return
        free = self._ledger.free
        sent = self._timely(self._unsent.take_next(0 if self._work.waits else free))
        reserved = free if self._work.may_be_claimed else min(free, len(sent))
        if not sent and not self._ledger.has_ended and not (self._work.may_be_claimed and free):
            return
        if reserved == free:
            self._work.may_be_claimed = False
        turn = Turn(
            self._turns.take_number(),
            self._format.new_execution_id(),
            self._lost.situation(),
            sent,
            self._ledger.take_ended(),
            self._ledger.take_returned(),
            reserved,
        )
        self._send(turn)
        if self._unsent:
            self._rhythm.begin_soon()

    def _timely(self, sent: list[Sent]) -> list[Sent]:
        """Return the submissions for which there is time left, and end the others."""
        for submission, _ in sent:
            if not submission.is_timely:
                self._end(submission, "unsent")
        return [one for one in sent if one.submission.is_timely]

    def _send(self, turn: Turn) -> None:
        self._ledger.reserve(turn.reserved)
        self._turns.add(turn)
        try:
            self._connection.send(self._format.call(turn).command)
        except NotCarriedOut:
            self._turns.remove_last()
            self._ledger.unreserve(turn.reserved)
            self._ledger.put_back_ended(turn.ended, turn.returned)
            self._turns.keep_or_forget(turn, has_claims=turn.is_retry)
            for submission, _ in reversed(turn.sent):
                self._unsent.put_back(submission)
            self._work.may_be_claimed = True

    def _note_open(self) -> None:
        self._work.may_be_claimed = True
        self._rhythm.begin_soon()

    def _note_answer(self, answer: Any) -> None:
        turn = self._turns.remove_first()
        if isinstance(answer, NoScriptError):
            self._turns.add(turn)
            self._connection.send(("EVAL", scripts.TurnCall.source, *self._format.call(turn).command[2:]))
            return
        self._ledger.unreserve(turn.reserved)
        if isinstance(answer, Exception):
            self._note_refused(turn, answer)
            return
        self._turns.free_number(turn.number)
        self._outage.recovered()
        self._lost.outage.recovered()
        self._note_carried_out(turn, TurnAnswer(*answer))
        self._work.note_free(self._ledger.free)
        if self._unsent or self._ledger.has_ended or (self._work.may_be_claimed and self._ledger.free):
            self._rhythm.begin_soon()

    def _note_carried_out(self, turn: Turn, answer: TurnAnswer) -> None:
        server = answer.server or self._health.server
        self._health.note_answer(server, (answer.seconds, answer.microseconds), turn.asked_at)
        started = answer.outcomes.count(b"started") + len(answer.claims)
        if not turn.is_retry:
            self._work.note_answer(answer, could_take_more=started == turn.reserved)
        for claim in self._format.claims_in(answer, turn):
            self._ledger.take(claim)
            self._on_claimed(claim)
        for (submission, _), outcome in zip(turn.sent, answer.outcomes, strict=True):
            self._note_outcome(turn, submission, outcome.decode())

    def _note_outcome(self, turn: Turn, submission: Submission, outcome: Any) -> None:
        if outcome == "data":
            self._unsent.put_back(submission, needs_data=True)
        elif outcome == "late" and submission.is_timely:
            self._unsent.put_back(submission)  # Redis's clock was set: the answer has shown its new time
        else:
            if outcome == "started":
                self._ledger.take(self._format.own_claim(submission, turn))
            self._end(submission, outcome)

    def _note_refused(self, turn: Turn, error: Exception) -> None:
        """Redis has refused the turn: it was not carried out, or only its settling was."""
        self._outage.failure(error)
        self._ledger.put_back_ended(turn.ended, turn.returned)
        self._turns.keep_or_forget(turn, has_claims=turn.is_retry)
        self._work.may_be_claimed = True
        self._rhythm.begin_within(_REFUSED_AGAIN_SECONDS)
        for submission, _ in turn.sent:
            self._end(submission, "unsent")

    def _end(self, submission: Submission, outcome: SubmitOutcome) -> None:
        self._unsent.end(submission)
        if submission.sent is not None and not submission.sent.done():
            submission.sent.set_result(outcome)
        if outcome not in ("absent", "lost"):  # see `LostAnswers.resolve`
            self._lost.note(submission, outcome)

    def _note_due(self, submission: Submission, is_unsent: bool) -> None:
        if is_unsent:
            self._end(submission, "unsent")
        else:
            self._connection.break_off(RedisTimeoutError(f"no answer within {SUBMIT_SECONDS:g} s"))

    def _note_overdue(self, turn: Turn) -> None:
        self._connection.break_off(RedisTimeoutError(f"no answer to {turn!r} within {SUBMIT_SECONDS:g} s"))

    def _give_up_all_unsent(self) -> None:
        for submission in self._unsent.take_all():
            self._end(submission, "unsent")

    def _note_lost(self, error: Exception) -> None:
        """The connection has ended: no turn in flight will be answered."""
        for turn in self._turns.take_all():
            self._ledger.unreserve(turn.reserved)
            # Its direct starts are settled as well: to settle a lease that was never taken does no harm.
            starts = [self._format.own_claim(submission, turn) for submission, _ in turn.sent]
            self._ledger.put_back_ended([*turn.ended, *starts], turn.returned)
            uncertain = [submission for submission, has_data in turn.sent if has_data]
            for submission, has_data in reversed(turn.sent):
                if has_data:
                    self._unsent.end(submission)
                else:  # it was not queued, and what started has not run
                    self._ask_again(submission)
            if uncertain and not self._is_closed:
                self._background.run(self._resolve(uncertain, turn.before, error))
            turn.sent, turn.ended, turn.returned = [], [], []
            self._turns.keep_or_forget(turn, has_claims=turn.reserved > 0)

    def _ask_again(self, submission: Submission) -> None:
        if submission.is_timely and not self.is_blocked and not self._is_closed:
            self._unsent.put_back(submission)
        else:
            self._end(submission, "unsent")

    async def _resolve(self, submissions: Sequence[Submission], before: Situation, error: Exception) -> None:
        outcomes = await self._lost.resolve(submissions, before, error)
        for submission, outcome in zip(submissions, outcomes, strict=True):
            self._end(submission, outcome)
