"""The worker loop: it fills its slots with claimed requests and publishes their responses.

Theory of operation. One round trip to Redis publishes what waits in the outbox and claims for the free slots. The loop
makes the next one as soon as there is something to publish, or there may be work for a free slot. When neither is so,
it allows a claim that blocks in Redis (`WorkWait`), and sleeps until that claim ends, a part is put or a slot is freed.

What it knows of the queues is in `Work`, and changes by the table `_AFTER`. Stop signals are in `Drain`.
"""

import asyncio
import contextlib
import enum
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from fast_priority.broker.connection import CONNECTION_ERRORS, RedisOutage
from fast_priority.broker.consumer import LEASE_SECONDS, Claim, ClaimResult, Consumer, OutgoingPart, RqConnection
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.broker.mailbox import Mailbox
from fast_priority.events import Events
from fast_priority.settings import Settings
from fast_priority.slots.dispatcher import Dispatcher
from fast_priority.slots.draining import Drain, DrainState
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.slots.in_flight import InFlight
from fast_priority.slots.lease_renewer import LeaseRenewer
from fast_priority.slots.part_outbox import PartOutbox
from fast_priority.slots.work_wait import WorkWait
from fast_priority.support.background import end_all
from fast_priority.support.signals import on_stop_signal, stop_signals_delivered

logger = logging.getLogger("rq.worker")  # the log of the whole worker

_RETRY_SECONDS = 0.2
_SUSPENDED_SECONDS = 1.0
_QUICK_TARGET_SECONDS = 0.004
_yield_core: Callable[[], None] = getattr(os, "sched_yield", lambda: None)  # macOS has none


class Work(enum.Enum):
    """What the loop knows of work in the queues."""

    NONE = "no work known"
    POSSIBLE = "work possible"
    REMAINING = "work remains"


class _Event(enum.Enum):
    """What changes that."""

    CLAIM_SENT = enum.auto()
    CLAIM_FAILED = enum.auto()
    SOME_REMAIN = enum.auto()  # a claim brought as much as was asked for, or reported more
    ALL_TAKEN = enum.auto()
    SLOT_FREED = enum.auto()
    SUSPENSION_OVER = enum.auto()


# A claim is sent, and the work that comes while it is under way may be missed by it: SLOT_FREED is noted, ALL_TAKEN
# does not undo it.
_AFTER: dict[_Event, dict[Work, Work]] = {
    _Event.CLAIM_SENT: {Work.NONE: Work.NONE, Work.POSSIBLE: Work.NONE, Work.REMAINING: Work.NONE},
    _Event.CLAIM_FAILED: {Work.NONE: Work.POSSIBLE, Work.POSSIBLE: Work.POSSIBLE, Work.REMAINING: Work.REMAINING},
    _Event.SOME_REMAIN: {Work.NONE: Work.REMAINING, Work.POSSIBLE: Work.REMAINING, Work.REMAINING: Work.REMAINING},
    _Event.ALL_TAKEN: {Work.NONE: Work.NONE, Work.POSSIBLE: Work.POSSIBLE, Work.REMAINING: Work.POSSIBLE},
    _Event.SLOT_FREED: {Work.NONE: Work.POSSIBLE, Work.POSSIBLE: Work.POSSIBLE, Work.REMAINING: Work.REMAINING},
    _Event.SUSPENSION_OVER: {Work.NONE: Work.POSSIBLE, Work.POSSIBLE: Work.POSSIBLE, Work.REMAINING: Work.REMAINING},
}


class WorkerLoop:
    """One run of a worker.

    `record` returns what rq's tools should know of the worker. With `burst`, the run ends when the queues are empty.
    Listeners subscribe to `events`. It notes in `lanes` which are served.
    """

    def __init__(
        self,
        *,
        name: str,
        slots: int,
        settings: Settings,
        rq_connection: RqConnection,
        record: Callable[[], dict[str, Any]],
        burst: bool,
        events: Events | None = None,
        lanes: KnownLanes | None = None,
    ) -> None:
        lanes = lanes or KnownLanes()
        self.served = 0
        self.drain = Drain(self._on_drain)
        self._name = name
        self._slots = slots
        self._burst = burst
        self._work = Work.POSSIBLE
        self._target_is_quick = False
        self._awake = asyncio.Event()
        options = rq_connection.options
        self._outbox = PartOutbox(self._awake.set)
        self._in_flight = InFlight(self._channel_of)
        self._consumer = Consumer(options, name, lanes)
        self._work_wait = WorkWait(
            self._consumer, self.drain, lambda: self._free_slots, self._awake.set, self._start_claims
        )
        self._dispatcher = Dispatcher(
            name,
            settings,
            rq_connection,
            self._in_flight,
            publish=self._outbox.put,
            on_freed=self._note_freed,
            events=events,
        )
        self._leases = LeaseRenewer(name, options, self._in_flight, lambda: {**record(), **self._progress()}, lanes)
        self._mailbox = Mailbox(
            name,
            options,
            self._in_flight.receive,
            expects_many=lambda: len(self._in_flight) > 0,
            fail=self._in_flight.fail,
        )
        self._redis = _RedisTroubles(name)

    def __repr__(self) -> str:
        taken = f"{len(self._in_flight)} of {self._slots} slots taken"
        parts = f"{len(self._outbox)} parts to publish"
        return f"<WorkerLoop {self._name}: {self.drain.state.value}, {taken}, {self._work.value}, {parts}>"

    async def run(self) -> None:
        """Serve until a stop signal ends it and all that is in flight has been settled."""
        logger.info("Worker %s: %d slot%s", self._name, self._slots, "" if self._slots == 1 else "s")
        on_stop_signal(self.drain.on_stop_signal)
        helpers = [
            self._redis.outage.keep_doing(what, step, _RETRY_SECONDS)
            for what, step in (
                ("cannot wait for work", self._work_wait.claim_once),
                ("cannot renew its leases", self._leases.renew_once),
                ("cannot read its mailbox", self._mailbox.read_once),
            )
        ]
        try:
            with stop_signals_delivered():
                await self._serve()
        finally:
            await end_all(helpers)
            await self._dispatcher.close()
            await self._mailbox.close()
            await self._consumer.close()
            await self._leases.close()

    @property
    def _is_draining(self) -> bool:
        return self.drain.state is not DrainState.SERVING

    @property
    def _free_slots(self) -> int:
        # A claim whose answer was lost is sent again even while draining: what it has started would be lost.
        claims_no_more = self._is_draining and not self._consumer.has_unanswered_claim
        return 0 if claims_no_more else self._slots - len(self._in_flight) - self._work_wait.kept_slots

    async def _serve(self) -> None:
        """Make one round trip after the other, whenever there is something to publish or there may be work."""
        while self.drain.state is not DrainState.STOPPING:
            if self._outbox and self._in_flight and self._target_is_quick:
                await _let_more_come()
            if self._claims_first():
                await self._publish_and_claim([])
            parts = self._outbox.take()
            if parts or (self._work is not Work.NONE and self._free_slots):
                await self._publish_and_claim(parts)
            elif (self._is_draining or self._burst) and not self._in_flight and not self._work_wait.kept_slots:
                return
            else:
                if self._free_slots and not self._burst:
                    self._work_wait.allow()
                await self._awake.wait()
            self._awake.clear()

    def _claims_first(self) -> bool:
        """Return whether to claim before publishing: the slots that several responses freed would stay empty meanwhile.

        At a service of 10 ms, one worker process then keeps its slots 2 % busier. Where the claim might find nothing,
        the responses would wait for nothing.
        """
        brings_work = self._work is Work.REMAINING and self._free_slots > 0
        return brings_work and not self._target_is_quick and len(self._outbox) > 1

    async def _publish_and_claim(self, parts: list[OutgoingPart]) -> None:
        free = self._free_slots if self._work is not Work.NONE else 0
        if free:
            self._note(_Event.CLAIM_SENT)
        try:
            result = await self._consumer.publish_and_claim(parts, free)
        except CONNECTION_ERRORS as error:
            await self._put_off(parts, error)
            return
        self._redis.note_answer()
        self._note_published(parts, result)
        if free:
            await self._start_claims(result, free)
        if result.refusal is not None:
            self._redis.note_full(result.refusal)
            self._outbox.put_back(list(result.unsent))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _start_claims(self, result: ClaimResult, asked_for: int) -> None:
        for claim in result.claims:
            self._dispatcher.start(claim, result.leased_since)
        work_remains = result.work_remains or len(result.claims) == asked_for
        self._note(_Event.SOME_REMAIN if work_remains else _Event.ALL_TAKEN)
        if result.suspended:
            await self._sit_out_suspension()

    def _note_published(self, parts: list[OutgoingPart], result: ClaimResult) -> None:
        for part in result.dropped:
            if part.part is not None:
                job_id = part.claim.job_id
                logger.warning(
                    "Worker %s: dropped the response of job %s: its gateway no longer waits", self._name, job_id
                )
            self._cancel_unless_last(part)
        for part in parts:
            if part.published is not None and not part.published.done() and part not in result.unsent:
                part.published.set_result(None)
        self.served += sum(part.is_last for part in parts) - sum(part.is_last for part in result.dropped)

    def _cancel_unless_last(self, part: OutgoingPart) -> None:
        request = self._in_flight.get(part.claim)
        if not part.is_last and request is not None:
            request.cancel()

    async def _put_off(self, parts: list[OutgoingPart], error: Exception) -> None:
        """Keep what could not be published for the next round trip; while draining, no longer than a lease lasts."""
        self._redis.note_away(error)
        self._outbox.put_back(parts)
        self._note(_Event.CLAIM_FAILED)
        if self._is_draining and self._redis.away_seconds > LEASE_SECONDS:
            logger.warning("Worker %s: stopping with %d unpublished parts", self._name, len(self._outbox))
            for part in self._outbox.clear():
                self._cancel_unless_last(part)
            self._consumer.abandon_claims()
        await asyncio.sleep(_RETRY_SECONDS)

    async def _sit_out_suspension(self) -> None:
        """Wait a second, or until there is something to publish; then the queues are asked again."""
        if not self._outbox:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SUSPENDED_SECONDS):
                    await self._awake.wait()
        if not self._burst:
            self._note(_Event.SUSPENSION_OVER)

    def _channel_of(self, claim: Claim) -> GatewayChannel:
        return GatewayChannel(self._name, lambda part: self._outbox.publish(claim, part))

    def _note(self, event: _Event) -> None:
        self._work = _AFTER[event][self._work]

    def _note_freed(self, taken_seconds: float) -> None:
        self._target_is_quick = taken_seconds < _QUICK_TARGET_SECONDS
        # While a claim blocks in Redis, that finds what comes. Otherwise something may have come unnoticed, and a claim
        # goes with what is published next.
        if not self._work_wait.kept_slots:
            self._note(_Event.SLOT_FREED)
        self._awake.set()

    def _progress(self) -> dict[str, Any]:
        return {
            "state": "busy" if self._in_flight else "idle",
            "successful_job_count": self.served,
            "warnings": self._dispatcher.warnings.as_field(),
        }

    def _on_drain(self, state: DrainState) -> None:
        if state is DrainState.DRAINING:
            logger.info("Worker %s: draining: %d in flight, claims no more", self._name, len(self._in_flight))
            self._work_wait.end_soon()
        else:
            logger.warning("Worker %s: stopping at once", self._name)
        self._awake.set()


class _RedisTroubles:
    """What a worker loop logs about Redis, and for how long Redis has been away."""

    def __init__(self, name: str) -> None:
        self.outage = RedisOutage(logger, f"Worker {name}: ")
        """What all tasks of the worker notice."""
        self._away_since: float | None = None
        self._away = self.outage.of("cannot publish and claim")
        self._full = self.outage.of("cannot publish pieces of bodies")

    @property
    def away_seconds(self) -> float:
        return 0.0 if self._away_since is None else time.monotonic() - self._away_since

    def note_answer(self) -> None:
        self._away.recovered()
        self._away_since = None

    def note_away(self, error: Exception) -> None:
        self._away.failure(error)
        self._away_since = self._away_since or time.monotonic()

    def note_full(self, error: Exception) -> None:
        self._full.failure(error)


async def _let_more_come() -> None:
    """Let the target run, if it waits for this core, and read its responses: one round trip then publishes them all.

    With a target that answers at once, a sixth more requests get through, and each costs Redis a fifth less. A slower
    target has nothing more to send in that time.
    """
    _yield_core()
    await asyncio.sleep(0)
