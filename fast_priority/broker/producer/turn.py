"""One turn of a gateway with slots: what goes with it, how it is written, and what its answer says."""

import time
from os import urandom
from typing import NamedTuple

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import RedisHealth
from fast_priority.broker.jobs import Claim, JobTemplate
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer.lost_answers import Situation
from fast_priority.broker.producer.submission import Submission
from fast_priority.broker.producer.unsent import Sent

MOST_TURNS = 8
"""The most turns in flight."""
_MOST_LOOKED_AT = 1000


class Turn:
    """One turn. While it is in flight, no other has its number."""

    __slots__ = ("asked_at", "before", "ended", "execution_id", "is_retry", "number", "reserved", "returned", "sent")

    def __init__(
        self,
        number: int,
        execution_id: str,
        before: Situation,
        sent: list[Sent],
        ended: list[Claim],
        returned: list[str],
        reserved: int,
    ) -> None:
        self.number = number
        self.execution_id = execution_id
        self.before = before
        self.sent = sent
        self.ended = ended
        """Requests that it settles."""
        self.returned = returned
        """The ids of requests that need no more the slot of another process."""
        self.reserved = reserved
        """The slots that it may fill."""
        self.asked_at = 0.0
        """When it was written, by `time.monotonic`."""
        self.is_retry = False

    def __repr__(self) -> str:
        return f"<Turn {self.number}: {len(self.sent)} new, {len(self.ended)} ended, {self.reserved} slots>"


class TurnAnswer(NamedTuple):
    """What turn.lua returns."""

    is_suspended: int
    waiting: int
    server: bytes
    seconds: int
    microseconds: int
    outcomes: list[bytes]
    claims: list[tuple[bytes, bytes, bytes, int]]


class TurnFormat:
    """Writes the turns of one gateway as calls of turn.lua."""

    def __init__(self, gateway_id: str, health: RedisHealth, levels: LevelsInForce) -> None:
        self._gateway_id = gateway_id
        self._health = health
        self._levels = levels
        self._template = JobTemplate()
        self._seed = urandom(6).hex()
        self._turns = 0

    def new_execution_id(self) -> str:
        """Return an id that no other turn has."""
        self._turns += 1
        return f"{self._seed}{self._turns:x}"

    def call(self, turn: Turn) -> scripts.TurnCall:
        """Return the call for a turn that is written now. Its requests get the levels that are in force by now."""
        lanes = self._levels.lanes.current
        now, ahead_seconds = self._template.now(), self._health.ahead_seconds
        if ahead_seconds is None:
            ahead_seconds = float("inf")  # the clock of Redis is not known yet: no request is late
        turn.asked_at = time.monotonic()
        for submission, _ in turn.sent:
            submission.priority = self._levels.place(submission.priority)
        return scripts.TurnCall(
            wake_up_key=keys.WAKE_UP,
            suspended_key=keys.SUSPENDED,
            last_claim_key=keys.last_claim(self._gateway_id, str(turn.number)),
            gateway_key=keys.gateway(self._gateway_id),
            queue_keys=lanes.queues,
            started_keys=lanes.started,
            gateway_id=self._gateway_id,
            execution_id=turn.execution_id,
            time=now,
            free_slots=turn.reserved,
            lease_ms=times.LEASE_MILLISECONDS,
            most_jobs=_MOST_LOOKED_AT,
            most_wake_ups=times.MOST_WAKE_UPS,
            gateway_ttl_ms=times.GATEWAY_TTL_MILLISECONDS,
            is_retry=turn.is_retry,
            lanes=lanes.names,
            levels=self._levels.names,
            change=self._levels.change,
            holds_levels=self._levels.are_held,
            limits=self._levels.limits(),
            job_fields=self._template.constant_fields if any(has_data for _, has_data in turn.sent) else (),
            settled=[part for claim in turn.ended for part in self._settled(claim)],
            returned=turn.returned,
            requests=[submission.as_row(now, ahead_seconds, with_data=has_data) for submission, has_data in turn.sent],
        )

    def own_claim(self, submission: Submission, turn: Turn) -> Claim:
        """Return the claim of a request that a turn has started, or may have started, at once."""
        return Claim(submission.job_id, turn.execution_id, submission.priority.value, self._gateway_id, b"")

    def claims_in(self, answer: TurnAnswer, turn: Turn) -> list[Claim]:
        """Return the claims of requests that were queued."""
        # The script returns only ids in ASCII.
        return [
            Claim(job_id.decode(), turn.execution_id, lane.decode(), gateway_id.decode(), b"", version)
            for job_id, lane, gateway_id, version in answer.claims
        ]

    def _settled(self, claim: Claim) -> tuple[str, str, str]:
        job_id = "" if claim.gateway_id == self._gateway_id else claim.job_id
        return claim.queue_name, f"{claim.job_id}:{claim.execution_id}", job_id
