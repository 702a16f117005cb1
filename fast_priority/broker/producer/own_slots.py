"""The slots of a gateway that forwards by itself, and all that keeps them: an rq worker without a process of its own.

A slot is taken for a request of this gateway, or lent to another gateway: that one talks to the target itself, as with
a permit, and this one holds the slot until a Cancel comes. In Redis the gateway has the record of an rq worker, so `rq
info`, health and the other gateways count its slots like those of workers.
"""

import asyncio
import logging
import os
import socket
import sys
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from rq.version import VERSION as RQ_VERSION

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import CONNECTION_ERRORS, Command, connect, send_together
from fast_priority.broker.jobs import Claim, JobTemplate, NotOurJob, payload_of
from fast_priority.broker.leases import Leases
from fast_priority.broker.producer.context import SubmitContext
from fast_priority.broker.producer.slot_ledger import SlotLedger
from fast_priority.broker.producer.submission import Submission
from fast_priority.broker.producer.turn_outbox import TurnOutbox
from fast_priority.broker.refused_jobs import refuse
from fast_priority.protocol.frames import GO_AGAIN_SECONDS, Frame, Go, encode
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.support.background import Background, end_all
from fast_priority.support.timeout_queue import TimeoutQueue

logger = logging.getLogger(__name__)

_RENEW_SECONDS = 1.0
_AGAIN_SECONDS = 0.2
_WAKE_UP_SECONDS = 2
_PATIENCE_SECONDS = 3.0
_MOST_DATA_BYTES = 1024 * 1024  # of a foreign job, to say what is wrong with it


class OwnSlots:
    """The slots of one gateway. `open` it on the event loop, and `close` it after the last request."""

    def __init__(self, context: SubmitContext) -> None:
        options, self._gateway_id = context.options, context.gateway_id
        self._inbox = context.inbox
        self._outage = context.outage
        self._ledger = SlotLedger(context.settings.slots, context.gateway_id)
        self.turns = TurnOutbox(context, self._ledger, self._on_claimed)
        """What sends the requests of the gateway."""
        self._redis: Redis = connect(options)
        self._blocking: Redis = connect(options, _WAKE_UP_SECONDS + _PATIENCE_SECONDS)
        self._lanes = context.levels.lanes
        self._leases = Leases(options, context.gateway_id, self._lanes)
        self._submissions: dict[str, Submission] = {}
        self._born = JobTemplate.now()
        self._go_again: TimeoutQueue[str] = TimeoutQueue(GO_AGAIN_SECONDS, self._repeat_go)
        self._tasks: list[asyncio.Task[None]] = []
        self._background = Background()
        self._lent_ended: asyncio.Event | None = None
        self._has_cleaned = False

    def __repr__(self) -> str:
        return f"<OwnSlots of {self._gateway_id}: {self._ledger!r}>"

    def open(self) -> None:
        """Start to claim."""
        self.turns.open()
        self._tasks = [
            self._outage.keep_doing("cannot renew the leases of its slots", self._renew_once, _AGAIN_SECONDS),
            self._outage.keep_doing("cannot wait for work", self._wait_once, _AGAIN_SECONDS),
        ]

    async def close(self, within_seconds: float) -> None:
        """Claim no more, let other gateways finish with what is lent to them, and remove the record."""
        self._ledger.close()
        if self._ledger.lent:
            self._lent_ended = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(within_seconds):
                    await self._lent_ended.wait()
        self._go_again.close()
        await end_all(self._tasks)
        await self._background.close()
        await self.turns.close()
        with suppress(*CONNECTION_ERRORS):  # it also expires
            record = keys.WORKER_PREFIX + self._gateway_id
            registers = [keys.WORKERS, *self._lanes.current.workers]
            commands: list[Command] = [("SREM", register, record) for register in registers]
            await send_together(self._redis, [("DEL", record), *commands])
        for redis in (self._redis, self._blocking):
            await redis.aclose()
        await self._leases.close()

    def expect(self, submission: Submission) -> None:
        """Note that a slot may be taken for this request from now on."""
        self._submissions[submission.job_id] = submission

    def grant(self, submission: Submission) -> None:
        """Let a request begin that a slot was taken for. If it does not wait any more, free the slot."""
        if submission.job_id not in self._submissions:
            self.release(submission.job_id)
            return
        submission.conversation.receive(Go())
        if submission.on_start is not None:
            try:
                submission.on_start()
            except Exception:  # a bug ends this request, and not the connection to Redis that others share
                logger.exception("job %s could not begin at once", submission.job_id)

    def holds(self, job_id: str) -> bool:
        """Return whether a slot is taken for this request."""
        return self._ledger.get(job_id) is not None

    def release(self, job_id: str) -> bool:
        """Free the slot of a request, or expect none for it any more. Return whether it had one."""
        self._submissions.pop(job_id, None)
        claim = self._ledger.release(job_id)
        if claim is None:
            return False
        if claim.gateway_id != self._gateway_id:
            self._go_again.end(job_id)
            if self._lent_ended is not None and not self._ledger.lent:
                self._lent_ended.set()
        self.turns.note_freed()
        return True

    def _on_claimed(self, claim: Claim) -> None:
        """Act on a request that was queued, and that a slot is taken for."""
        if claim.gateway_id == self._gateway_id:
            submission = self._submissions.get(claim.job_id)
            if submission is None:
                self.release(claim.job_id)
            else:
                self._inbox.stop_watching(claim.job_id)
                self.grant(submission)
        elif claim.gateway_id:
            self._go_again.begin(claim.job_id)  # turn.lua has sent the first Go
        else:
            self._background.run(self._refuse(claim))

    def end_lent(self, job_id: str) -> None:
        """Act on a Cancel: another gateway does not need the slot any more that was lent to it."""
        claim = self._ledger.get(job_id)
        if claim is not None and claim.gateway_id not in ("", self._gateway_id):
            self.release(job_id)

    def _repeat_go(self, job_id: str) -> None:
        # A gateway that does not know the request any more answers with a Cancel: one that was lost costs no slot.
        claim = self._ledger.get(job_id)
        if claim is not None:
            self._go_again.begin(job_id)
            self._background.run(self._send_go(claim))

    async def _send_go(self, claim: Claim) -> None:
        inbox = keys.inbox(claim.gateway_id)
        frame = encode(Frame(claim.job_id, Go(), claim.version))
        with suppress(*CONNECTION_ERRORS):  # the next one comes soon
            await send_together(self._redis, [("RPUSH", inbox, frame), ("EXPIRE", inbox, times.INBOX_TTL_SECONDS)])

    async def _refuse(self, claim: Claim) -> None:
        reason = "no gateway asked for it"
        try:
            data = await self._redis.hget(keys.job(claim.job_id), "data")
            payload_of(data if isinstance(data, bytes) else b"", _MOST_DATA_BYTES)
        except NotOurJob as error:
            reason = str(error)
        except CONNECTION_ERRORS as error:
            logger.debug("cannot read job %s: %s", claim.job_id, error)
        logger.warning("refused job %r of the queue %s: %s", claim.job_id, claim.queue_name, reason)
        try:
            async with self._redis.pipeline() as pipeline:
                refuse(pipeline, claim, reason)
                await pipeline.execute()
        except CONNECTION_ERRORS as error:
            logger.debug("cannot move job %s to the failed registry: %s", claim.job_id, error)
        finally:
            # Its job stays, with the reason: only the slot is freed.
            self._ledger.forget(claim.job_id)
            self.turns.note_freed()

    async def _remove_names_of_the_dead(self) -> None:
        """Remove names from rq's registers whose record is gone: processes that were killed have left them there."""
        registers = (keys.WORKERS, *self._lanes.current.workers)
        found = await scripts.run_together(self._redis, [("SMEMBERS", register) for register in registers])
        for register, names in zip(registers, found, strict=True):
            members = [] if isinstance(names, Exception) else list(names)
            exist = await scripts.run_together(self._redis, [("EXISTS", name) for name in members])
            gone = [name for name, exists in zip(members, exist, strict=True) if not exists]
            if gone:
                await scripts.run_together(self._redis, [("SREM", register, *gone)])

    async def _renew_once(self) -> None:
        """Renew what has a slot, and the record; then wait a second. Raises what redis-py raises."""
        if not self._has_cleaned:
            await self._remove_names_of_the_dead()
            self._has_cleaned = True
        await self._renew(self._ledger.taken)
        await asyncio.sleep(_RENEW_SECONDS)

    async def _renew(self, claims: list[Claim], *, restore: bool = False) -> None:
        renewal = await self._leases.renew(self._record(), claims, restore=restore)
        for claim in renewal.over:
            self.end_lent(claim.job_id)
        gone = [claim for claim in renewal.gone if self._ledger.get(claim.job_id) == claim]
        if gone:
            await self._renew(gone, restore=True)

    def _record(self) -> dict[str, Any]:
        """Return what rq's tools, health and other gateways know of these slots."""
        return {
            "birth": self._born,
            "queues": ",".join(self._lanes.current.names),
            "pid": os.getpid(),
            "hostname": socket.gethostname(),
            "version": RQ_VERSION,
            "python_version": sys.version,
            "state": "busy" if self._ledger.taken else "idle",
            "successful_job_count": self._ledger.served,
            "slots": self._ledger.slots,
            "wire": WIRE_VERSION,
        }

    async def _wait_once(self) -> None:
        """Wait until another gateway has queued a request, and claim it if a slot is free. Raises what redis-py raises.

        With requests in the queues, the turns claim by themselves whenever a slot is freed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAKE_UP_SECONDS):
                await self.turns.calm.wait()
        if not self.turns.calm.is_set():
            self.turns.claim_soon()
            return
        (token,) = await send_together(self._blocking, [("BLPOP", keys.WAKE_UP, _WAKE_UP_SECONDS)])
        if isinstance(token, Exception):
            raise token
        if token is None or self._ledger.free > 0:
            self.turns.claim_soon()
        else:  # it is for another gateway or worker
            expire: Command = ("EXPIRE", keys.WAKE_UP, times.WAKE_UP_TTL_SECONDS)
            await scripts.run_together(self._redis, [("LPUSH", keys.WAKE_UP, "1"), expire])
