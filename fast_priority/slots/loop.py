"""What a worker process does: fill its slots with requests, carry them to the target, say what comes of them."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from fast_priority.broker import keys
from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.consumer import Claim, ClaimResult, Consumer, OutgoingPart, StockRq
from fast_priority.broker.mailbox import Mailbox
from fast_priority.http.message import Reply
from fast_priority.protocol.frames import Chunk, Part
from fast_priority.settings import Settings
from fast_priority.slots.dispatcher import Dispatcher
from fast_priority.slots.forward import GatewayChannel
from fast_priority.slots.in_flight import InFlight
from fast_priority.slots.lease_renewer import LeaseRenewer
from fast_priority.support.background import end_all, keep_doing
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.signals import TO_END, let_through

logger = logging.getLogger("rq.worker")  # one log for one worker, whichever half of it speaks

_RETRY_SECONDS = 0.2
_SUSPENDED_SECONDS = 1.0
_MOST_BYTES_AT_ONCE = 4 * 1024 * 1024
_SOON_SECONDS = 0.004
_yield_core: Callable[[], None] = getattr(os, "sched_yield", lambda: None)  # macOS has none


class WorkerLoop:
    """One run of a worker: the slots, what is in them, and the loop that fills them.

    `record` gives what rq's tools should know of the worker. With `burst`, the run ends when the queues are empty.
    """

    def __init__(
        self,
        *,
        name: str,
        slots: int,
        settings: Settings,
        stock_rq: StockRq,
        record: Callable[[], dict[str, Any]],
        burst: bool,
    ) -> None:
        self.served = 0
        self._name = name
        self._slots = slots
        self._record = record
        self._burst = burst
        options = stock_rq.options
        self._claimer = Consumer(options, name)
        self._in_flight = InFlight(self._line_for)
        self._carrier = Dispatcher(name, settings, stock_rq, self._in_flight, say=self._say, freed=self._note_freed)
        self._leases = LeaseRenewer(name, options, self._in_flight, self._record_now)
        self._mailbox = Mailbox(name, options, self._in_flight.hear, expects_many=lambda: len(self._in_flight) > 0)
        self._to_say: list[OutgoingPart] = []
        self._kept_slots = 0  # for what waiting for work brings
        self._work_may_wait = True
        self._more_was_there = False
        self._answers_come_soon = False
        self._stirred = asyncio.Event()
        self._idle = asyncio.Event()
        self._draining_since: float | None = None
        self._ending_of_waiting: asyncio.Task[None] | None = None  # a task that nothing refers to may be collected
        self._away_since: float | None = None
        self._leaving = False
        self._full = OutageLog(f"Worker {name}: Redis has no memory left", logger)
        self._away = OutageLog(f"Worker {name} cannot reach the queues", logger)

    async def run(self) -> None:
        """Serve until a signal ends it and all that is in flight has been settled."""
        logger.info("Worker %s: %d slots", self._name, self._slots)
        loop = asyncio.get_running_loop()
        for number in TO_END:
            loop.add_signal_handler(number, self._on_signal)
        helpers = [
            asyncio.create_task(
                keep_doing(what, step, expected=CONNECTION_ERRORS, again_seconds=_RETRY_SECONDS, logger=logger)
            )
            for what, step in (
                (f"Worker {self._name} cannot wait for work", self._wait_for_work_once),
                (f"Worker {self._name} cannot renew its leases", self._leases.renew_once),
                (f"Worker {self._name} cannot hear the gateways", self._mailbox.read_once),
            )
        ]
        try:
            with let_through():
                await self._fill_slots()
        finally:
            await end_all(helpers)
            await self._carrier.close()
            await self._mailbox.close()
            await self._claimer.close()
            await self._leases.close()

    @property
    def _draining(self) -> bool:
        return self._draining_since is not None

    @property
    def _free_slots(self) -> int:
        # A claim whose answer was lost is asked again even now: what it has started would be lost.
        takes_no_more = self._draining and not self._claimer.has_unanswered_claim
        return 0 if takes_no_more else self._slots - len(self._in_flight) - self._kept_slots

    async def _fill_slots(self) -> None:
        """Say and claim, one round trip at a time, whenever there is something to say or something may have come in."""
        while not self._leaving:
            if self._to_say and self._in_flight and self._answers_come_soon:
                await _let_more_come()
            if self._slots_go_first():
                await self._take_turn([])
            sayings = self._take_sayings()
            if sayings or (self._work_may_wait and self._free_slots):
                await self._take_turn(sayings)
            elif (self._draining or self._burst) and not self._in_flight and not self._kept_slots:
                return
            else:
                if self._free_slots and not self._burst:
                    self._idle.set()
                await self._stirred.wait()
            self._stirred.clear()

    def _slots_go_first(self) -> bool:
        """Whether to claim before anything is said: while several answers are, the slots they freed would be empty.

        At a service of 10 ms, one worker process then keeps its slots 2 % busier. Where the claim might find nothing,
        the answers would wait for it in vain.
        """
        may_bring_work = self._work_may_wait and self._more_was_there and self._free_slots > 0
        return may_bring_work and not self._answers_come_soon and len(self._to_say) > 1

    def _take_sayings(self) -> list[OutgoingPart]:
        """Take what there is to say, up to so many bytes that one round trip is a short one."""
        bytes_taken, length = 0, 0
        while length < len(self._to_say) and bytes_taken < _MOST_BYTES_AT_ONCE:
            bytes_taken += _weigh(self._to_say[length].part)
            length += 1
        taken, self._to_say = self._to_say[:length], self._to_say[length:]
        return taken

    async def _take_turn(self, sayings: list[OutgoingPart]) -> None:
        free = self._free_slots if self._work_may_wait else 0
        if free:
            self._work_may_wait = False  # unless this turn, or a wake-up that comes while it is under way, says it does
        try:
            turn = await self._claimer.publish_and_claim(sayings, free)
        except CONNECTION_ERRORS as error:
            await self._put_off(sayings, error)
            return
        self._away.recovered()
        self._away_since = None
        for saying in turn.dropped:
            self._note_dropped(saying)
        for saying in sayings:
            if saying.published is not None and not saying.published.done() and saying not in turn.unsent:
                saying.published.set_result(None)
        self.served += sum(saying.is_last for saying in sayings) - sum(saying.is_last for saying in turn.dropped)
        if free:
            await self._start_all(turn, free)
        if turn.unsent:
            self._full.failure(f"{len(turn.unsent)} pieces of bodies wait for it")
            self._to_say = [*turn.unsent, *self._to_say]
            await asyncio.sleep(_RETRY_SECONDS)

    async def _start_all(self, turn: ClaimResult, asked_for: int) -> None:
        for claim in turn.claims:
            self._carrier.start(claim, turn.leased_since)
        self._more_was_there = turn.work_is_left or len(turn.claims) == asked_for
        if self._more_was_there:
            self._work_may_wait = True
        if turn.suspended:
            await self._sit_out_suspension()

    def _note_dropped(self, saying: OutgoingPart) -> None:
        job_id = saying.claim.job_id
        if saying.part is not None:
            logger.warning("Worker %s: nobody takes the answer to %s", self._name, job_id)
        self._give_up_unless_last(saying)

    def _give_up_unless_last(self, saying: OutgoingPart) -> None:
        carried = self._in_flight.get(saying.claim)
        if not saying.is_last and carried is not None:
            carried.give_up()

    async def _put_off(self, sayings: list[OutgoingPart], error: Exception) -> None:
        """Keep for the next turn what could not be said; while draining, no longer than a lease lasts."""
        self._away.failure(error)
        self._to_say = [*sayings, *self._to_say]
        self._work_may_wait = True
        self._away_since = self._away_since or time.monotonic()
        if self._draining and time.monotonic() - self._away_since > keys.LEASE_SECONDS:
            logger.warning("Worker %s: leaving with %d answers nobody takes", self._name, len(self._to_say))
            unsaid, self._to_say = self._to_say, []
            for saying in unsaid:
                self._give_up_unless_last(saying)
            self._claimer.abandon_claims()
        await asyncio.sleep(_RETRY_SECONDS)

    async def _sit_out_suspension(self) -> None:
        """Wait a second, or until there is something to say; then the queues are asked again."""
        if not self._to_say:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SUSPENDED_SECONDS):
                    await self._stirred.wait()
        self._work_may_wait = not self._burst

    def _line_for(self, claim: Claim) -> GatewayChannel:
        async def say(part: Part) -> None:
            # What comes from the target until it has been said goes into the next chunk: the busier, the larger.
            said = asyncio.get_running_loop().create_future()
            self._say(OutgoingPart(claim, part, is_last=False, published=said))
            await said

        return GatewayChannel(self._name, say)

    def _say(self, saying: OutgoingPart) -> None:
        self._to_say.append(saying)
        self._stirred.set()

    def _note_freed(self, taken_seconds: float) -> None:
        self._answers_come_soon = taken_seconds < _SOON_SECONDS
        # While a wait for work is under way, that finds what comes. Otherwise something may have come unnoticed,
        # and a claim goes with what is said next.
        self._work_may_wait = self._work_may_wait or not self._kept_slots
        self._stirred.set()

    async def _wait_for_work_once(self) -> None:
        """With nothing to do, block until a gateway submits, and claim; what that brings has its slots kept for it."""
        if not self._kept_slots:  # else the last one was lost, and is asked again
            await self._idle.wait()
            self._idle.clear()
            self._kept_slots = self._free_slots
            if not self._kept_slots:
                return
        try:
            turn = await self._claimer.wait_and_claim(self._kept_slots)
        except CONNECTION_ERRORS:
            if self._draining_since and time.monotonic() - self._draining_since > keys.LEASE_SECONDS:
                self._claimer.abandon_claims()
                self._stop_keeping_slots()
            raise
        kept = self._stop_keeping_slots()
        await self._start_all(turn, kept)

    def _stop_keeping_slots(self) -> int:
        kept, self._kept_slots = self._kept_slots, 0
        self._idle.clear()  # the turn comes first; if it finds nothing, it sets this again
        self._stirred.set()
        return kept

    def _record_now(self) -> dict[str, Any]:
        state = "busy" if self._in_flight else "idle"
        return {**self._record(), "state": state, "successful_job_count": self.served}

    def _on_signal(self) -> None:
        if self._draining_since is None:
            logger.info("Worker %s: finishing %d in flight, taking no more", self._name, len(self._in_flight))
            self._draining_since = time.monotonic()
            if self._kept_slots:
                self._ending_of_waiting = asyncio.create_task(self._end_waiting())
        elif time.monotonic() - self._draining_since > 1.0:  # a pool and a terminal both signal: twice at once is once
            logger.warning("Worker %s: leaving at once", self._name)
            self._leaving = True
        self._stirred.set()

    async def _end_waiting(self) -> None:
        with contextlib.suppress(*CONNECTION_ERRORS):  # it ends by itself within 2 s
            await self._claimer.stop_waiting()


async def _let_more_come() -> None:
    """Let the target go on if it waits for this core, and hear what it has answered: one round trip then says it all.

    With a target that answers at once, a sixth more requests get through, and each costs Redis a fifth less. A slower
    one has nothing more to say in that time.
    """
    _yield_core()
    await asyncio.sleep(0)


def _weigh(part: Part | None) -> int:
    if isinstance(part, Reply):
        return len(part.body)
    return len(part.data) if isinstance(part, Chunk) else 0
