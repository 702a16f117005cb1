"""What a worker process does: fill its slots with requests, forward them, settle them with an answer."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from typing import Any

from redis import Redis as SyncRedis

from fast_priority.broker import connecting, keys
from fast_priority.broker.claiming import Claim, Claimer, Settlement, refuse
from fast_priority.broker.jobs import NotOurJob, payload_of
from fast_priority.errors import GatewayError
from fast_priority.message import Failure, ForwardCall, Reply, UnreadableMessage, decode_call
from fast_priority.settings import Settings
from fast_priority.targets import Targets
from fast_priority.tasks import end_all, keep_doing
from fast_priority.trouble import Trouble

logger = logging.getLogger("rq.worker")  # one log for one worker, whichever half of it speaks

_RENEW_SECONDS = 1.0
_RETRY_SECONDS = 0.2
_SUSPENDED_SECONDS = 1.0
_MOST_BYTES_AT_ONCE = 4 * 1024 * 1024
_MOST_CALL_BYTES = 300 * 1024 * 1024  # over the largest body that any setting allows, with its head


class Serving:
    """One run of a worker: the slots, what is in them, and the loop that fills them.

    `record` gives what rq's tools should know of the worker. With `burst`, the run ends when the queues are empty.
    """

    def __init__(
        self,
        *,
        name: str,
        slots: int,
        settings: Settings,
        connection: SyncRedis,
        record: Callable[[], dict[str, Any]],
        burst: bool,
    ) -> None:
        self.served = 0
        self._name = name
        self._slots = slots
        self._settings = settings
        self._connection = connection
        self._record = record
        self._burst = burst
        self._claimer = Claimer(connecting.options_of(connection), name)
        self._targets = Targets()
        self._in_flight: dict[tuple[str, str], tuple[Claim, asyncio.Task[None]]] = {}
        self._ended: list[Settlement] = []
        self._work_may_wait = True
        self._stirred = asyncio.Event()
        self._idle = asyncio.Event()
        self._draining_since: float | None = None
        self._leaving = False
        self._away = Trouble(f"Worker {name} cannot reach the queues", logger)

    async def run(self) -> None:
        """Serve until a signal ends it and all that is in flight has been settled."""
        logger.info("Worker %s: %d slots", self._name, self._slots)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        helpers = [
            asyncio.create_task(
                keep_doing(what, step, expected=connecting.LOST, again_seconds=_RETRY_SECONDS, logger=logger)
            )
            for what, step in (
                (f"Worker {self._name} cannot wait for work", self._listen_once),
                (f"Worker {self._name} cannot renew its leases", self._keep_leases_once),
            )
        ]
        try:
            await self._fill_slots()
        finally:
            await end_all([*helpers, *(task for _, task in self._in_flight.values())])
            await self._targets.close()
            await self._claimer.close()

    @property
    def _draining(self) -> bool:
        return self._draining_since is not None

    @property
    def _free_slots(self) -> int:
        return 0 if self._draining else self._slots - len(self._in_flight)

    async def _fill_slots(self) -> None:
        """Settle and claim, one round trip at a time, whenever something ended or may have come in."""
        while not self._leaving:
            settlements = self._take_settlements()
            if settlements or (self._work_may_wait and self._free_slots):
                await self._take_turn(settlements)
            elif (self._draining or self._burst) and not self._in_flight:
                return
            else:
                if self._free_slots:
                    self._idle.set()
                await self._stirred.wait()
            self._stirred.clear()

    def _take_settlements(self) -> list[Settlement]:
        """Take what has ended, up to so many bytes that one round trip is a short one."""
        bytes_taken, length = 0, 0
        while length < len(self._ended) and bytes_taken < _MOST_BYTES_AT_ONCE:
            outcome = self._ended[length].outcome
            bytes_taken += len(outcome.body) if isinstance(outcome, Reply) else 0
            length += 1
        taken, self._ended = self._ended[:length], self._ended[length:]
        return taken

    async def _take_turn(self, settlements: list[Settlement]) -> None:
        free = self._free_slots
        if free:
            self._work_may_wait = False  # unless this turn, or a wake-up that comes while it is under way, says it does
        try:
            turn = await self._claimer.take_turn(settlements, free)
        except connecting.LOST as error:
            await self._put_off(settlements, error)
            return
        self._away.over()
        for settlement in turn.dropped:
            logger.warning("Worker %s: nobody takes the answer to %s", self._name, settlement.claim.job_id)
        self.served += len(settlements) - len(turn.dropped)
        for claim in turn.claims:
            task = asyncio.create_task(self._serve(claim))
            self._in_flight[claim.job_id, claim.execution_id] = (claim, task)
        if free and len(turn.claims) == free:
            self._work_may_wait = True
        if turn.suspended:
            await self._sit_out_suspension()

    async def _put_off(self, settlements: list[Settlement], error: Exception) -> None:
        """Keep for the next turn what could not be settled; while draining, no longer than a lease lasts."""
        self._away.met(error)
        self._ended = [*settlements, *self._ended]
        self._work_may_wait = True
        if self._draining_since is not None and time.monotonic() - self._draining_since > keys.LEASE_SECONDS:
            logger.warning("Worker %s: leaving with %d answers nobody takes", self._name, len(self._ended))
            self._ended = []
        await asyncio.sleep(_RETRY_SECONDS)

    async def _sit_out_suspension(self) -> None:
        """Wait a second, or for something in flight to end; then the queues are asked again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SUSPENDED_SECONDS):
                await self._stirred.wait()
        self._work_may_wait = not self._burst

    async def _serve(self, claim: Claim) -> None:
        try:
            call = _call_in(claim)
        except (NotOurJob, UnreadableMessage) as error:
            await self._refuse(claim, str(error))
        else:
            outcome = await self._forward(call)
            self._ended.append(Settlement(claim, outcome))
        finally:
            self._in_flight.pop((claim.job_id, claim.execution_id), None)
            self._work_may_wait = True
            self._stirred.set()

    async def _forward(self, call: ForwardCall) -> Reply | Failure:
        own = self._settings.target_base_url
        policy = self._settings.target_policy() if own else call.policy
        try:
            async with self._targets.use(policy) as target:
                return await target.forward(call.request)
        except GatewayError as error:
            return Failure(error.slug, error.detail)
        except Exception:
            logger.exception("Worker %s: forwarding failed", self._name)
            return Failure(GatewayError.slug, "the worker failed; its log says how")

    async def _refuse(self, claim: Claim, reason: str) -> None:
        logger.warning("Worker %s: refused job %r: %s", self._name, claim.job_id, reason)
        with contextlib.suppress(*connecting.LOST):
            await asyncio.to_thread(refuse, self._connection, claim, reason)

    async def _listen_once(self) -> None:
        """When a slot is free and nothing was found, block until a gateway submits; after 2 s, look anyway."""
        await self._idle.wait()
        try:
            woken = await self._claimer.wait_for_work()
            if woken and not self._free_slots:
                await self._claimer.wake_another()
        finally:
            self._idle.clear()  # the claim comes first; if it finds nothing, it sets this again
            self._work_may_wait = True
            self._stirred.set()

    async def _keep_leases_once(self) -> None:
        """Renew what is in flight, show rq that this worker lives, and wait a second."""
        claims = [claim for claim, _ in self._in_flight.values()]
        record = {**self._record(), "state": "busy" if claims else "idle", "successful_job_count": self.served}
        for claim in await self._claimer.show_life(record, claims):
            # Somebody else has answered for it by now; the target need not work on.
            if found := self._in_flight.get((claim.job_id, claim.execution_id)):
                logger.warning("Worker %s: lost the lease of %s", self._name, claim.job_id)
                found[1].cancel()
        await asyncio.sleep(_RENEW_SECONDS)

    def _on_signal(self) -> None:
        if self._draining_since is None:
            logger.info("Worker %s: finishing %d in flight, taking no more", self._name, len(self._in_flight))
            self._draining_since = time.monotonic()
        elif time.monotonic() - self._draining_since > 1.0:  # a pool and a terminal both signal: twice at once is once
            logger.warning("Worker %s: leaving at once", self._name)
            self._leaving = True
        self._stirred.set()


def _call_in(claim: Claim) -> ForwardCall:
    call = decode_call(payload_of(claim.data, _MOST_CALL_BYTES))
    if not claim.gateway_id:
        raise NotOurJob("no gateway asked for it")
    return call
