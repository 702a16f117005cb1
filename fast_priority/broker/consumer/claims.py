"""The worker's side of the queues: claim requests, say what comes of them."""

import asyncio
import logging
from collections.abc import Sequence
from os import urandom
from typing import Any, NamedTuple

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import Argument, Command, connect, send_together
from fast_priority.broker.jobs import JobTemplate
from fast_priority.errors import NotSent
from fast_priority.protocol.frames import Chunk, Credit, Failure, Frame, Go, Head, Part, encode, encode_part
from fast_priority.support.elapsed import Moment
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger("rq.worker")  # one log for one worker

_MOST_LOOKED_AT = 1000  # dead jobs skipped in one claim, so that one claim never holds Redis up
_WAKE_UP_SECONDS = 2
_PATIENCE_SECONDS = 4.0  # a server that was replaced may leave the connection to it silent for ever
_WAS_NOT_SENT = encode_part(Failure(NotSent.slug, "Redis was away for so long that its gateway seemed to be gone"))
_PUSHED = (Chunk, Credit)
_OPENS = (Head, Go)
_TOUCHED_BY_CLAIMS = [*keys.LANES, *keys.LEASES, keys.WAKE_UP, keys.SUSPENDED]


class Claim(NamedTuple):
    """A request that this worker has started and must settle."""

    job_id: str
    execution_id: str
    queue_name: str
    gateway_id: str
    """'' when no gateway made the job."""
    data: bytes


class OutgoingPart(NamedTuple):
    """What a worker says about a claim to the gateway that asked; the last saying ends the claim."""

    claim: Claim
    part: Part | None
    """None: nothing, for a client that has left; only as the last."""
    is_last: bool = True
    said: "asyncio.Future[None] | None" = None
    """Is given a result by the caller once the part is on its way."""


class ClaimResult(NamedTuple):
    """What one round trip to the queues brought."""

    claims: list[Claim]
    suspended: bool
    """Nothing can be claimed for now: rq's tools hold the workers back, or a queue is no list."""
    work_is_left: bool = False
    """There is something that only a claim with a turn gives."""
    asked: Moment = Moment(0.0, 0.0, 0.0)
    """When the claim began: what it brought is this worker's for LEASE_SECONDS from then on, at the least."""
    dropped: Sequence[OutgoingPart] = ()
    """What nobody hears, for the request is over, or the inbox is no list."""
    unsaid: Sequence[OutgoingPart] = ()
    """What Redis has no memory for now: it is to be said again."""


class _Way:
    """One way in which a worker claims, one claim at a time, so that Redis can tell what the last one gave."""

    def __init__(self, name: str, *, is_sent_ahead: bool = False) -> None:
        self.name = name
        self.is_sent_ahead = is_sent_ahead
        self.unanswered: str | None = None

    def begin(self) -> tuple[str, bool]:
        """Give the execution id of the next claim, and whether it has been sent before."""
        is_again = self.unanswered is not None
        self.unanswered = self.unanswered or urandom(16).hex()
        return self.unanswered, is_again


_Told = tuple[scripts.Call | Command, Sequence[OutgoingPart]]
"""A step, and what it says."""


class Consumer:
    """One worker process at the queues: it claims with each turn, and, with nothing to do, while it waits for work."""

    def __init__(self, options: dict[str, Any], worker_name: str) -> None:
        self._redis = connect(options, _PATIENCE_SECONDS)
        self._blocking = connect(options, _WAKE_UP_SECONDS + _PATIENCE_SECONDS)
        self._worker_name = worker_name
        self._with_turns, self._by_waiting = _Way("turn"), _Way("wait", is_sent_ahead=True)
        self._memory_is_short = False
        self._end_of_waiting = keys.end_of_waiting(worker_name)
        self._spoilt = OutageLog(f"Worker {worker_name}: a key in Redis is not what it should be", logger)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._blocking.aclose()

    @property
    def awaits_a_claim(self) -> bool:
        """Whether a claim was sent with a turn whose answer never came: it may have started requests."""
        return self._with_turns.unanswered is not None

    def give_claims_up(self) -> None:
        """Ask no more for what such claims may have started: their leases have run out."""
        self._with_turns.unanswered = self._by_waiting.unanswered = None

    async def publish_and_claim(self, sayings: Sequence[OutgoingPart], free_slots: int) -> ClaimResult:
        """Say what there is to say and claim up to `free_slots` requests, in one round trip.

        When it raises, call it again with the same sayings: an end that was heard is then dropped, a chunk that was
        heard is known by its number, and what was claimed without our hearing of it is given once more.
        """
        openings = [saying for saying in sayings if isinstance(saying.part, _OPENS)]
        chunks = [saying for saying in sayings if isinstance(saying.part, _PUSHED)]
        lasts = [saying for saying in sayings if saying.is_last]
        # In this order, so that of each request the head comes before its chunks, and they before its end.
        told = [
            *self._say_calls(openings, in_order=True),
            *_pushes(chunks, memory_is_short=self._memory_is_short),
            *self._say_calls(lasts),
        ]
        calls = [call for call, _ in told]
        asked = Moment.now()
        execution_id = ""
        if free_slots:
            execution_id, is_again = self._with_turns.begin()
            calls.append(self._claim_call(self._with_turns, execution_id, free_slots, again=is_again))
        results = await scripts.run_together(self._redis, calls)
        found = results.pop() if free_slots else [0, 0]
        if free_slots:
            self._with_turns.unanswered = None
        dropped, unsaid = self._what_came_of(told, results)
        self._memory_is_short = bool(unsaid) or (self._memory_is_short and not chunks)
        return self._turn(execution_id, found, asked)._replace(dropped=dropped, unsaid=unsaid)

    def _what_came_of(
        self, told: Sequence[_Told], results: Sequence[Any]
    ) -> tuple[list[OutgoingPart], list[OutgoingPart]]:
        """Give what nobody hears of what was told, and what is still unsaid, by what Redis returned for each step."""
        dropped: list[OutgoingPart] = []
        unsaid: list[OutgoingPart] = []
        for (_, sayings), result in zip(told, results, strict=True):
            if isinstance(result, Exception) and scripts.is_out_of_memory(result):
                unsaid += sayings
                continue
            spoilt = sayings if isinstance(result, Exception) else []
            if isinstance(result, list):
                dropped += [saying for saying, outcome in zip(sayings, result, strict=True) if outcome < 1]
                spoilt = [saying for saying, outcome in zip(sayings, result, strict=True) if outcome < 0]
            else:
                dropped += spoilt
            if spoilt:
                self._spoilt.failure(" or ".join(sorted({ascii(keys.inbox(one.claim.gateway_id)) for one in spoilt})))
        return dropped, unsaid

    async def wait_and_claim(self, free_slots: int) -> ClaimResult:
        """Block until a gateway submits, at most 2 s, and claim up to `free_slots` requests in that same moment.

        Nobody is asked in between, so that the claim is not a round trip later than the request, and a high one that
        comes within that time still goes first. It claims only what can be queued again if this process does not live
        to hear of it; of the rest it tells that it is there. When it raises, call it again.
        """
        execution_id, is_again = self._by_waiting.begin()
        claim = self._claim_call(self._by_waiting, execution_id, free_slots, again=is_again)
        waits: list[Command] = [("BLPOP", keys.WAKE_UP, self._end_of_waiting, _WAKE_UP_SECONDS)]
        asked = Moment.now()
        *_, answer = await scripts.run_together(self._blocking, [claim] if is_again else [*waits, claim])
        self._by_waiting.unanswered = None
        return self._turn(execution_id, answer, asked)

    async def end_waiting(self) -> None:
        """Let `wait_and_claim` return at once. Raises what redis-py raises."""
        await send_together(
            self._redis,
            [("RPUSH", self._end_of_waiting, "1"), ("EXPIRE", self._end_of_waiting, keys.END_OF_WAITING_TTL_SECONDS)],
        )

    def _say_calls(self, sayings: Sequence[OutgoingPart], *, in_order: bool = False) -> list[_Told]:
        if not sayings:
            return []
        arguments: list[Argument] = [
            keys.JOB_PREFIX, keys.MARK_PREFIX, keys.INBOX_PREFIX, keys.INBOX_TTL_SECONDS
        ]  # fmt: skip
        for saying in sayings:
            claim, frame = saying.claim, _frame_of(saying)
            named = (claim.job_id, claim.execution_id, claim.queue_name, claim.gateway_id)
            arguments += (*named, frame, int(saying.is_last))
        return [(scripts.Call(scripts.SAY, keys.LEASES, arguments, in_order), sayings)]

    def _turn(self, execution_id: str, answer: Any, asked: Moment) -> ClaimResult:
        if isinstance(answer, Exception):
            self._spoilt.failure(f"one that a claim looks at: {answer}")
            return ClaimResult([], suspended=True)
        suspended, is_left, *jobs = answer
        claims = [_claim(execution_id, *job) for job in jobs]
        return ClaimResult(claims, bool(suspended), bool(is_left), asked)

    def _claim_call(self, way: _Way, execution_id: str, free_slots: int, *, again: bool) -> scripts.Call:
        last_claim = keys.last_claim(self._worker_name, way.name)
        touched = [*_TOUCHED_BY_CLAIMS, last_claim]
        return scripts.Call(
            scripts.CLAIM,
            touched,
            [
                keys.JOB_PREFIX, keys.GATEWAY_PREFIX, free_slots, self._worker_name, execution_id,
                keys.LEASE_MILLISECONDS, JobTemplate.now(), keys.WAKE_UP_TTL_SECONDS, _MOST_LOOKED_AT, int(again),
                keys.INBOX_PREFIX, keys.INBOX_TTL_SECONDS, _WAS_NOT_SENT, int(way.is_sent_ahead),
            ],
        )  # fmt: skip


def _pushes(chunks: Sequence[OutgoingPart], *, memory_is_short: bool) -> list[_Told]:
    """Push chunks, and wants, as they are: a script would copy them four times over, which is half of all the work.

    Their lease need not be looked at. What a worker wants does no harm; the lease held when the head was said, a
    request whose head was said is never begun anew, and a gateway that has given one up drops what still comes. Where
    Redis refuses commands for want of memory, what is small is pushed by a script, which it does not refuse.
    """
    said: dict[str, list[OutgoingPart]] = {}
    for chunk in chunks:
        said.setdefault(keys.inbox(chunk.claim.gateway_id), []).append(chunk)
    pushes: list[_Told] = []
    for inbox, sayings in said.items():
        frames = [_frame_of(saying) for saying in sayings]
        if memory_is_short and sum(map(len, frames)) <= keys.MOST_BYTES_WITHOUT_MEMORY:
            arguments: list[Argument] = [keys.INBOX_TTL_SECONDS, *frames]
            pushes.append((scripts.Call(scripts.PUSH, [inbox], arguments, in_order=True), sayings))
        else:
            pushes.append((("RPUSH", inbox, *frames), sayings))
    return [*pushes, *((("EXPIRE", inbox, keys.INBOX_TTL_SECONDS), ()) for inbox in said)]


def _frame_of(saying: OutgoingPart) -> bytes:
    return b"" if saying.part is None else encode(Frame(saying.claim.job_id, saying.part))


def _claim(execution_id: str, job_id: bytes, queue_name: bytes, gateway_id: bytes, data: bytes) -> Claim:
    # The script gives no job id that is not plain ASCII; a gateway's may be anything, and then belongs to none.
    return Claim(job_id.decode(), execution_id, queue_name.decode(), gateway_id.decode(errors="replace"), data)
