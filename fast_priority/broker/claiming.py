"""The worker's side of the queues: claim requests, keep their leases, say what comes of them."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from redis import Redis as SyncRedis
from rq.job import Job, JobStatus
from rq.results import Result

from fast_priority.broker import connecting, keys, scripts
from fast_priority.broker.jobs import JobTemplate, WriteOnlySerializer
from fast_priority.message import Chunk, Frame, Head, Part, Want, encode
from fast_priority.priority import Priority
from fast_priority.trouble import Trouble

logger = logging.getLogger("rq.worker")  # one log for one worker

_MOST_LOOKED_AT = 1000  # dead jobs skipped in one claim, so that one claim never holds Redis up
_WAKE_UP_SECONDS = 2
_PATIENCE_SECONDS = 10.0  # no client waits for one call of a worker, and a call given up is work to be done again
_STARTED = [keys.started(Priority.HIGH), keys.started(Priority.LOW)]
_WORKERS_OF = [keys.workers_of(Priority.HIGH), keys.workers_of(Priority.LOW)]
_QUEUES = [keys.queue(Priority.HIGH), keys.queue(Priority.LOW)]


class Claim(NamedTuple):
    """A request that this worker has started and must settle."""

    job_id: str
    execution_id: str
    queue_name: str
    gateway_id: str
    """'' when no gateway made the job."""
    data: bytes


class Saying(NamedTuple):
    """What a worker says about a claim to the gateway that asked; the last saying ends the claim."""

    claim: Claim
    part: Part | None
    """None: nothing, for a client that has left; only as the last."""
    is_last: bool = True
    said: "asyncio.Future[None] | None" = None
    """Is given a result by the caller once the part is on its way."""


class Turn(NamedTuple):
    """What one round trip to the queues brought."""

    claims: list[Claim]
    suspended: bool
    """Nothing can be claimed for now: rq's tools hold the workers back, or a queue is no list."""
    dropped: list[Saying]
    """What nobody hears: the lease was lost, or the gateway is gone, or its inbox is no list."""


_Told = tuple[scripts.Call | scripts.Command, Sequence[Saying]]
"""A step, and what it says."""


class Claimer:
    """One worker process at the queues."""

    def __init__(self, options: dict[str, Any], worker_name: str) -> None:
        self._redis = connecting.connect(options, _PATIENCE_SECONDS)
        self._blocking = connecting.connect(options, _WAKE_UP_SECONDS + _PATIENCE_SECONDS)
        self._worker_name = worker_name
        self._unanswered_claim: str | None = None
        self._spoilt = Trouble(f"Worker {worker_name}: a key in Redis is not what it should be", logger)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._blocking.aclose()

    @property
    def awaits_a_claim(self) -> bool:
        """Whether a claim was sent whose answer never came: it may have started requests."""
        return self._unanswered_claim is not None

    def give_claim_up(self) -> None:
        """Ask no more for what such a claim may have started: its lease has run out."""
        self._unanswered_claim = None

    async def take_turn(self, sayings: Sequence[Saying], free_slots: int) -> Turn:
        """Say what there is to say and claim up to `free_slots` requests, in one round trip.

        When it raises, call it again with the same sayings: an end that was heard is then dropped, a chunk that was
        heard is known by its number, and what was claimed without our hearing of it is given once more.
        """
        openings = [saying for saying in sayings if isinstance(saying.part, Head)]
        chunks = [saying for saying in sayings if isinstance(saying.part, Chunk | Want)]
        lasts = [saying for saying in sayings if saying.is_last]
        # In this order, so that of each request the head comes before its chunks, and they before its end.
        told = [*self._say_calls(openings, in_order=True), *_push_commands(chunks), *self._say_calls(lasts)]
        calls = [call for call, _ in told]
        execution_id = self._unanswered_claim or uuid4().hex
        if free_slots:
            calls.append(self._claim_call(execution_id, free_slots, again=self._unanswered_claim is not None))
            self._unanswered_claim = execution_id
        results = await scripts.run_together(self._redis, calls)
        found = results.pop() if free_slots else [0]
        dropped = await self._unheard(told, results)
        if free_slots:
            self._unanswered_claim = None
        if isinstance(found, Exception):
            self._spoilt.met(f"one that a claim looks at: {found}")
            return Turn([], suspended=True, dropped=dropped)
        suspended, *jobs = list(found)
        return Turn([_claim(execution_id, *job) for job in jobs], bool(suspended), dropped)

    async def _run(self, told: Sequence[_Told]) -> list[Any]:
        return await scripts.run_together(self._redis, [call for call, _ in told])

    async def _unheard(self, told: Sequence[_Told], results: Sequence[Any]) -> list[Saying]:
        """Give what nobody hears of what was told, by what Redis returned for each step.

        A step that met a key of the wrong type may have left out what stood behind it: each part is then said alone, so
        that only what is for that inbox is lost. What had been said before is dropped there, as in any second turn.
        """
        unheard: list[Saying] = []
        for (call, sayings), result in zip(told, results, strict=True):
            if isinstance(result, list):
                unheard += [saying for saying, flag in zip(sayings, result, strict=True) if not flag]
            elif isinstance(result, Exception):
                inboxes = sorted({keys.inbox(saying.claim.gateway_id) for saying in sayings})
                self._spoilt.met(f"{' or '.join(map(ascii, inboxes))}: {result}")
                if isinstance(call, scripts.Call) and len(sayings) > 1:
                    alone = [one for saying in sayings for one in self._say_calls([saying])]
                    unheard += await self._unheard(alone, await self._run(alone))
                else:
                    unheard += sayings
        return unheard

    async def wait_for_work(self) -> bool:
        """Block until a gateway submits, at most 2 s; tells whether one did."""
        return await self._blocking.blpop([keys.WAKE_UP], timeout=_WAKE_UP_SECONDS) is not None

    async def wake_another(self) -> None:
        """Hand on a wake-up that this worker has no free slot for."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.lpush(keys.WAKE_UP, "1")
            pipeline.expire(keys.WAKE_UP, keys.WAKE_UP_TTL_SECONDS)
            await pipeline.execute()

    async def show_life(self, record: dict[str, Any], claims: Sequence[Claim]) -> list[Claim]:
        """Write this worker's record and renew the leases of all its claims; give the claims whose lease is lost.

        One round trip. The record is written whole, so that it is there again after a Redis that lost it.
        """
        arguments: list[scripts.Argument] = [
            keys.JOB_PREFIX, keys.GATEWAY_PREFIX, keys.LEASE_SECONDS, JobTemplate.now(), keys.WORKER_TTL_SECONDS,
            len(record), *(part for pair in record.items() for part in pair),
        ]  # fmt: skip
        for claim in claims:
            arguments += (claim.job_id, claim.execution_id, claim.queue_name, claim.gateway_id)
        touched = [*_STARTED, keys.WORKER_PREFIX + self._worker_name, keys.WORKERS, *_WORKERS_OF]
        held: list[int] = await scripts.RENEW.run(self._redis, touched, arguments)
        return [claim for claim, flag in zip(claims, held, strict=True) if not flag]

    def _say_calls(self, sayings: Sequence[Saying], *, in_order: bool = False) -> list[_Told]:
        if not sayings:
            return []
        arguments: list[scripts.Argument] = [
            keys.JOB_PREFIX, keys.GATEWAY_PREFIX, keys.INBOX_PREFIX, keys.INBOX_TTL_SECONDS
        ]  # fmt: skip
        for saying in sayings:
            claim, frame = saying.claim, _frame_of(saying)
            named = (claim.job_id, claim.execution_id, claim.queue_name, claim.gateway_id)
            arguments += (*named, frame, int(saying.is_last))
        return [(scripts.Call(scripts.SAY, _STARTED, arguments, in_order), sayings)]

    def _claim_call(self, execution_id: str, free_slots: int, *, again: bool) -> scripts.Call:
        touched = [*_QUEUES, *_STARTED, keys.WAKE_UP, keys.SUSPENDED, keys.last_claim(self._worker_name)]
        return scripts.Call(
            scripts.CLAIM,
            touched,
            [
                keys.JOB_PREFIX, keys.GATEWAY_PREFIX, free_slots, self._worker_name, execution_id, keys.LEASE_SECONDS,
                JobTemplate.now(), keys.WAKE_UP_TTL_SECONDS, _MOST_LOOKED_AT, "1" if again else "0",
            ],
        )  # fmt: skip


def refuse(connection: SyncRedis, claim: Claim, reason: str) -> None:
    """Put a claimed job that is not ours into rq's failed registry, with the reason, and touch nothing else of it.

    The job's own hash is not read: nothing in it can be trusted.
    """
    key, registry = keys.job(claim.job_id), keys.failed(claim.queue_name)
    with connection.pipeline() as pipeline:
        pipeline.zrem(keys.started(claim.queue_name), f"{claim.job_id}:{claim.execution_id}")
        pipeline.hset(key, "status", JobStatus.FAILED.value)
        pipeline.expire(key, keys.FAILED_TTL_SECONDS)
        pipeline.zadd(registry, {claim.job_id: time.time() + keys.FAILED_TTL_SECONDS})
        pipeline.expire(registry, keys.FAILED_TTL_SECONDS)
        job = Job(claim.job_id, connection=connection, serializer=WriteOnlySerializer)
        Result.create_failure(job, keys.FAILED_TTL_SECONDS, exc_string=reason, pipeline=pipeline)
        pipeline.execute()


def somebody_waits(connection: SyncRedis, gateway_id: str) -> bool:
    """Tell whether the gateway that asked is still there."""
    return bool(connection.exists(keys.gateway(gateway_id)))


def say_directly(connection: SyncRedis, gateway_id: str, job_id: str, part: Part) -> bool:
    """Say something for a stock rq worker, which ends the job itself; tells whether the gateway is still there."""
    if not somebody_waits(connection, gateway_id):
        return False
    with connection.pipeline() as pipeline:
        pipeline.rpush(keys.inbox(gateway_id), encode(Frame(job_id, part)))
        pipeline.expire(keys.inbox(gateway_id), keys.INBOX_TTL_SECONDS)
        pipeline.execute()
    return True


def _push_commands(chunks: Sequence[Saying]) -> list[_Told]:
    """Push chunks, and wants, as they are: a script would copy them four times over, which is half of all the work.

    Their lease need not be looked at. What a worker wants does no harm; the lease held when the head was said, a
    request whose head was said is never begun anew, and a gateway that has given one up drops what still comes.
    """
    said: dict[str, list[Saying]] = {}
    for chunk in chunks:
        said.setdefault(keys.inbox(chunk.claim.gateway_id), []).append(chunk)
    pushes: list[_Told] = [(("RPUSH", inbox, *map(_frame_of, sayings)), sayings) for inbox, sayings in said.items()]
    return [*pushes, *((("EXPIRE", inbox, keys.INBOX_TTL_SECONDS), ()) for inbox in said)]


def _frame_of(saying: Saying) -> bytes:
    return b"" if saying.part is None else encode(Frame(saying.claim.job_id, saying.part))


def _claim(execution_id: str, job_id: bytes, queue_name: bytes, gateway_id: bytes, data: bytes) -> Claim:
    # The script gives no job id that is not plain ASCII; a gateway's may be anything, and then belongs to none.
    return Claim(job_id.decode(), execution_id, queue_name.decode(), gateway_id.decode(errors="replace"), data)
