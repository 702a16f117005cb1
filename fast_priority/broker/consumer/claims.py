"""A worker at the queues: it publishes parts of responses and claims requests, both in one round trip.

A worker has two kinds of claim. A direct claim is sent when the worker has free slots and there may be work. A claim
that is sent ahead stands behind a blocking wait for a wake-up token, so that it claims in the moment in which work
arrives. Of each kind, the answer to at most one claim is outstanding. If the answer is lost, the worker sends the claim
again with the same execution id, and Redis returns the same requests.
"""

import logging
from asyncio import Future
from collections.abc import Sequence
from os import urandom
from typing import Any, NamedTuple

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import Command, connect, send_together
from fast_priority.broker.jobs import Claim, JobTemplate
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.protocol.frames import Chunk, Credit, Frame, Go, Head, Part, encode
from fast_priority.support.elapsed import Moment
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger("rq.worker")  # one log for one worker

_MOST_LOOKED_AT = 1000  # jobs in one claim, missing ones included, so that no claim blocks Redis for long
_WAKE_UP_SECONDS = 2
_PATIENCE_SECONDS = 4.0  # a server that was replaced may never close the connection to it
_PLAIN = (Chunk, Credit)
_OPENING = (Head, Go)


class OutgoingPart(NamedTuple):
    """A part of a response for the gateway that asked. The last part ends the claim."""

    claim: Claim
    part: Part | None
    """None: publish nothing, because the client has left. Only the last part may be None."""
    is_last: bool = True
    published: "Future[None] | None" = None
    """The caller sets its result when the part was published."""


class ClaimResult(NamedTuple):
    """The result of one round trip to the queues."""

    claims: list[Claim]
    suspended: bool
    """Nothing can be claimed now: rq suspends the workers, or a queue is not a list."""
    work_remains: bool = False
    """There is work that only a direct claim can take."""
    leased_since: Moment = Moment(0.0, 0.0, 0.0)
    """When the claim was sent. The claims belong to this worker for at least LEASE_SECONDS from then on."""
    dropped: Sequence[OutgoingPart] = ()
    """Parts that were not published: their request is over, or the inbox is not a list."""
    unsent: Sequence[OutgoingPart] = ()
    """Parts for which Redis has no memory now. Publish them again."""
    refusal: Exception | None = None
    """The error with which Redis refused them, if there are any."""


_Step = tuple[scripts.ScriptCall | Command, Sequence[OutgoingPart]]
"""One step of a round trip, and the parts that it publishes."""


class _ClaimKind:
    """One kind of claim, with the execution id of the claim whose answer is outstanding, if there is one."""

    def __init__(self, name: str, *, is_sent_ahead: bool = False) -> None:
        self.name = name
        self.is_sent_ahead = is_sent_ahead
        self.unanswered: str | None = None

    def begin(self) -> tuple[str, bool]:
        """Return the execution id of the next claim, and whether that claim was sent before."""
        is_retry = self.unanswered is not None
        self.unanswered = self.unanswered or urandom(16).hex()
        return self.unanswered, is_retry


class Consumer:
    """One worker process at the queues. Its claims take the levels from Redis; `known` are those where it has none."""

    def __init__(self, options: dict[str, Any], worker_name: str, known: KnownLanes | None = None) -> None:
        self._known = known or KnownLanes()
        self._redis = connect(options, _PATIENCE_SECONDS)
        self._blocking = connect(options, _WAKE_UP_SECONDS + _PATIENCE_SECONDS)
        self._worker_name = worker_name
        self._direct = _ClaimKind(keys.DIRECT_CLAIM)
        self._sent_ahead = _ClaimKind(keys.CLAIM_SENT_AHEAD, is_sent_ahead=True)
        self._memory_is_short = False
        self._stop_signal = keys.stop_signal(worker_name)
        self._wrong_type = OutageLog(f"Worker {worker_name}: a key in Redis has the wrong type", logger)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._blocking.aclose()

    @property
    def has_unanswered_claim(self) -> bool:
        """Whether the answer to a direct claim was lost: that claim may have started requests."""
        return self._direct.unanswered is not None

    def abandon_claims(self) -> None:
        """Do not repeat claims whose answer was lost: the leases of what they have started have ended."""
        self._direct.unanswered = self._sent_ahead.unanswered = None

    async def publish_and_claim(self, parts: Sequence[OutgoingPart], free_slots: int) -> ClaimResult:
        """Publish the parts and claim up to `free_slots` requests, in one round trip.

        When it raises, call it again with the same parts. Redis drops a last part that it has already published, the
        gateway drops a chunk whose number it knows, and a claim whose answer was lost returns the same requests.
        """
        openings = [one for one in parts if isinstance(one.part, _OPENING)]
        plain = [one for one in parts if isinstance(one.part, _PLAIN)]
        lasts = [one for one in parts if one.is_last]
        # In this order a gateway receives the head of each response before its chunks, and the end after them.
        steps = [
            *_publish_by_script(openings, self._known.current, in_order=True),
            *_publish_plain(plain, memory_is_short=self._memory_is_short),
            *_publish_by_script(lasts, self._known.current),
        ]
        calls = [call for call, _ in steps]
        since = Moment.now()
        execution_id = ""
        if free_slots:
            execution_id, is_retry = self._direct.begin()
            calls.append(self._claim_call(self._direct, execution_id, free_slots, is_retry=is_retry))
        results = await scripts.run_together(self._redis, calls)
        claimed = results.pop() if free_slots else [0, 0]
        if free_slots:
            self._direct.unanswered = None
        dropped, unsent = self._unpublished(steps, results)
        self._memory_is_short = bool(unsent) or (self._memory_is_short and not plain)
        return self._claim_result(execution_id, claimed, since)._replace(
            dropped=dropped, unsent=unsent, refusal=_out_of_memory_among(results) if unsent else None
        )

    async def wait_and_claim(self, free_slots: int) -> ClaimResult:
        """Wait up to 2 s for a gateway to submit, and claim up to `free_slots` requests in that moment.

        The claim stands behind the wait, so a request is claimed as soon as it arrives, without another round trip; a
        high request that arrives in the same moment still goes first. The claim takes only requests that can be queued
        again if this process dies before the answer arrives. `work_remains` says whether others wait. When it raises,
        call it again.
        """
        execution_id, is_retry = self._sent_ahead.begin()
        claim = self._claim_call(self._sent_ahead, execution_id, free_slots, is_retry=is_retry)
        wait: Command = ("BLPOP", keys.WAKE_UP, self._stop_signal, _WAKE_UP_SECONDS)
        since = Moment.now()
        *_, claimed = await scripts.run_together(self._blocking, [claim] if is_retry else [wait, claim])
        self._sent_ahead.unanswered = None
        return self._claim_result(execution_id, claimed, since)

    async def stop_waiting(self) -> None:
        """Send the stop signal: `wait_and_claim` returns at once. Raises what redis-py raises."""
        expire: Command = ("EXPIRE", self._stop_signal, times.STOP_SIGNAL_TTL_SECONDS)
        await send_together(self._redis, [("RPUSH", self._stop_signal, "1"), expire])

    def _unpublished(
        self, steps: Sequence[_Step], results: Sequence[Any]
    ) -> tuple[list[OutgoingPart], list[OutgoingPart]]:
        """Return the parts that were dropped, and those that Redis has no memory for, by the results of the steps."""
        dropped: list[OutgoingPart] = []
        unsent: list[OutgoingPart] = []
        for (_, parts), result in zip(steps, results, strict=True):
            if isinstance(result, Exception) and scripts.is_out_of_memory(result):
                unsent += parts
                continue
            without_inbox = parts if isinstance(result, Exception) else []
            if isinstance(result, list):
                dropped += [one for one, outcome in zip(parts, result, strict=True) if outcome < 1]
                without_inbox = [one for one, outcome in zip(parts, result, strict=True) if outcome < 0]
            else:
                dropped += without_inbox
            if without_inbox:
                inboxes = {ascii(keys.inbox(one.claim.gateway_id)) for one in without_inbox}
                self._wrong_type.failure(" and ".join(sorted(inboxes)))
        return dropped, unsent

    def _claim_result(self, execution_id: str, claimed: Any, since: Moment) -> ClaimResult:
        if isinstance(claimed, Exception):
            self._wrong_type.failure(f"a claim failed: {claimed}")
            return ClaimResult([], suspended=True)
        suspended, work_remains, *jobs = claimed
        claims = [_claim(execution_id, *job) for job in jobs]
        return ClaimResult(claims, bool(suspended), bool(work_remains), since)

    def _claim_call(self, kind: _ClaimKind, execution_id: str, free_slots: int, *, is_retry: bool) -> scripts.ClaimCall:
        lanes = self._known.current
        return scripts.ClaimCall(
            wake_up_key=keys.WAKE_UP,
            suspended_key=keys.SUSPENDED,
            last_claim_key=keys.last_claim(self._worker_name, kind.name),
            queue_keys=lanes.queues,
            started_keys=lanes.started,
            worker_name=self._worker_name,
            execution_id=execution_id,
            time=JobTemplate.now(),
            free_slots=free_slots,
            lease_ms=times.LEASE_MILLISECONDS,
            most_jobs=_MOST_LOOKED_AT,
            is_retry=is_retry,
            is_sent_ahead=kind.is_sent_ahead,
            lanes=lanes.names,
        )


def _out_of_memory_among(results: Sequence[Any]) -> Exception | None:
    return next((one for one in results if isinstance(one, Exception) and scripts.is_out_of_memory(one)), None)


def _publish_by_script(parts: Sequence[OutgoingPart], lanes: keys.Lanes, *, in_order: bool = False) -> list[_Step]:
    if not parts:
        return []
    rows = [scripts.PublishedPart(*one.claim[:4], _frame_of(one), int(one.is_last)) for one in parts]
    call = scripts.PublishCall(
        started_keys=lanes.started,
        lanes=lanes.names,
        parts=rows,
        in_order=in_order,
    )
    return [(call, parts)]


def _publish_plain(parts: Sequence[OutgoingPart], *, memory_is_short: bool) -> list[_Step]:
    """Return steps that publish chunks and credit without a look at their lease.

    A script would copy each chunk four times, which is half of all the work. Credit does no harm. The lease of a chunk
    held when its head was published, a request whose head was published is never started again, and a gateway drops
    chunks of a request that it has given up. Where Redis has no memory for commands, a script pushes what is small:
    Redis does not refuse the script.
    """
    by_inbox: dict[str, list[OutgoingPart]] = {}
    for one in parts:
        by_inbox.setdefault(keys.inbox(one.claim.gateway_id), []).append(one)
    steps: list[_Step] = []
    for inbox, its_parts in by_inbox.items():
        frames = [_frame_of(one) for one in its_parts]
        if memory_is_short and sum(map(len, frames)) <= times.MOST_BYTES_WITHOUT_MEMORY:
            push = scripts.PushCall(mailbox_key=inbox, frames=frames, in_order=True)
            steps.append((push, its_parts))
        else:
            steps.append((("RPUSH", inbox, *frames), its_parts))
    return [*steps, *((("EXPIRE", inbox, times.INBOX_TTL_SECONDS), ()) for inbox in by_inbox)]


def _frame_of(one: OutgoingPart) -> bytes:
    return b"" if one.part is None else encode(Frame(one.claim.job_id, one.part, one.claim.version))


def _claim(execution_id: str, job_id: bytes, queue_name: bytes, gateway_id: bytes, data: bytes, version: int) -> Claim:
    # The script returns only job ids in ASCII. A gateway id may be any bytes: then no gateway has it.
    return Claim(job_id.decode(), execution_id, queue_name.decode(), gateway_id.decode(errors="replace"), data, version)
