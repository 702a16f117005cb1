"""What a worker process does: fill its slots with requests, forward them, settle them with an answer."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from typing import Any

from redis import Redis as SyncRedis

from fast_priority.broker import connecting
from fast_priority.broker.claiming import Claim, Claimer, Settlement, refuse
from fast_priority.broker.jobs import NotOurJob, payload_of
from fast_priority.errors import GatewayError
from fast_priority.message import Failure, ForwardCall, Reply, TargetPolicy, UnreadableMessage, decode_call
from fast_priority.settings import Settings
from fast_priority.target import Target
from fast_priority.tasks import end_all

logger = logging.getLogger("rq.worker")  # one log for one worker, whichever half of it speaks

_RENEW_SECONDS = 1.0
_RETRY_SECONDS = 0.2
_SUSPENDED_SECONDS = 1.0
_MOST_TARGETS = 8
_MOST_CALL_BYTES = 512 * 1024 * 1024  # what Redis itself can hold in one value


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
        self._targets = _Targets()
        self._in_flight: dict[str, tuple[Claim, asyncio.Task[None]]] = {}
        self._ended: list[Settlement] = []
        self._work_may_wait = True
        self._stirred = asyncio.Event()
        self._idle = asyncio.Event()
        self._draining_since: float | None = None

    async def run(self) -> None:
        """Serve until a signal ends it and all that is in flight has been settled."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        helpers = [asyncio.create_task(job) for job in (self._listen_for_work(), self._keep_leases())]
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
        while True:
            settlements, self._ended = self._ended, []
            if settlements or (self._work_may_wait and self._free_slots):
                await self._take_turn(settlements)
            elif (self._draining or self._burst) and not self._in_flight:
                return
            else:
                if self._free_slots:
                    self._idle.set()
                await self._stirred.wait()
            self._stirred.clear()

    async def _take_turn(self, settlements: list[Settlement]) -> None:
        free = self._free_slots
        if free:
            self._work_may_wait = False  # unless this turn, or a wake-up that comes while it is under way, says it does
        try:
            turn = await self._claimer.take_turn(settlements, free)
        except connecting.LOST as error:
            logger.warning("Worker %s: Redis is away, trying again: %s", self._name, error)
            self._ended = [*settlements, *self._ended]
            self._work_may_wait = True
            await asyncio.sleep(_RETRY_SECONDS)
            return
        for settlement in turn.dropped:
            logger.warning("Worker %s: nobody takes the answer to %s", self._name, settlement.claim.job_id)
        self.served += len(settlements) - len(turn.dropped)
        for claim in turn.claims:
            task = asyncio.create_task(self._serve(claim))
            self._in_flight[claim.job_id] = (claim, task)
        if free and len(turn.claims) == free:
            self._work_may_wait = True
        if turn.suspended:
            await self._sit_out_suspension()

    async def _sit_out_suspension(self) -> None:
        """Wait a second, or for something in flight to end; then the queues are asked again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SUSPENDED_SECONDS):
                await self._stirred.wait()
        self._work_may_wait = not self._burst

    async def _serve(self, claim: Claim) -> None:
        try:
            call = decode_call(payload_of(claim.data, _MOST_CALL_BYTES))
        except (NotOurJob, UnreadableMessage) as error:
            await self._refuse(claim, str(error))
        else:
            outcome = await self._forward(call)
            self._ended.append(Settlement(claim, outcome))
        finally:
            self._in_flight.pop(claim.job_id, None)
            self._work_may_wait = True
            self._stirred.set()

    async def _forward(self, call: ForwardCall) -> Reply | Failure:
        own = self._settings.target_base_url
        policy = self._settings.target_policy() if own else call.policy
        try:
            target = await self._targets.get(policy)
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

    async def _listen_for_work(self) -> None:
        """While a slot is free and nothing was found, block until a gateway submits; look anyway every 2 s."""
        while True:
            await self._idle.wait()
            self._idle.clear()
            try:
                woken = await self._claimer.wait_for_work()
                self._idle.clear()  # the claim comes first; if it finds nothing, it sets this again
                if woken and not self._free_slots:
                    await self._claimer.wake_another()
            except connecting.LOST as error:
                logger.warning("Worker %s: Redis is away, trying again: %s", self._name, error)
                await asyncio.sleep(_RETRY_SECONDS)
            self._work_may_wait = True
            self._stirred.set()

    async def _keep_leases(self) -> None:
        """Every second: renew what is in flight, show rq that this worker lives."""
        while True:
            claims = [claim for claim, _ in self._in_flight.values()]
            record = {**self._record(), "state": "busy" if claims else "idle", "successful_job_count": self.served}
            try:
                lost = await self._claimer.show_life(record, claims)
            except connecting.LOST as error:
                logger.warning("Worker %s: cannot renew its leases: %s", self._name, error)
                lost = []
            for claim in lost:
                # Somebody else has answered for it by now; the target need not work on.
                if claim.job_id in self._in_flight:
                    logger.warning("Worker %s: lost the lease of %s", self._name, claim.job_id)
                    self._in_flight[claim.job_id][1].cancel()
            await asyncio.sleep(_RENEW_SECONDS)

    def _on_signal(self) -> None:
        if self._draining_since is None:
            logger.info("Worker %s: finishing %d in flight, taking no more", self._name, len(self._in_flight))
            self._draining_since = time.monotonic()
        elif time.monotonic() - self._draining_since > 1.0:  # a pool and a terminal both signal: twice at once is once
            logger.warning("Worker %s: leaving at once", self._name)
            for _, task in self._in_flight.values():
                task.cancel()
        self._stirred.set()


class _Targets:
    """The targets that this worker has connections to: one, unless gateways with different targets share the queues."""

    def __init__(self) -> None:
        self._open: dict[TargetPolicy, Target] = {}
        self._opening = asyncio.Lock()

    async def get(self, policy: TargetPolicy) -> Target:
        """Give the target of this policy; its connections are kept."""
        if policy not in self._open:
            async with self._opening:
                await self._open_one(policy)
        return self._open[policy]

    async def close(self) -> None:
        """Close all connections."""
        for target in self._open.values():
            await target.__aexit__()
        self._open.clear()

    async def _open_one(self, policy: TargetPolicy) -> None:
        if policy in self._open:
            return
        if len(self._open) >= _MOST_TARGETS:
            raise GatewayError(f"a worker forwards to {_MOST_TARGETS} different targets at most")
        self._open[policy] = await Target(policy).__aenter__()
