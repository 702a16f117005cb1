"""Waiting for work: while the worker loop has nothing to do, a claim blocks in Redis until a gateway submits."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.consumer import LEASE_SECONDS, ClaimResult, Consumer
from fast_priority.slots.draining import Drain


class WorkWait:
    """Claims that block in Redis until there is work. While one blocks, it keeps the free slots for its requests.

    `free_slots` returns how many slots a claim may keep. `on_claimed` is called with the result of each claim and the
    number of slots that it kept. `on_ended` is called when a claim blocks no more.
    """

    def __init__(
        self,
        consumer: Consumer,
        drain: Drain,
        free_slots: Callable[[], int],
        on_ended: Callable[[], None],
        on_claimed: Callable[[ClaimResult, int], Awaitable[None]],
    ) -> None:
        self.kept_slots = 0
        self._consumer = consumer
        self._drain = drain
        self._free_slots = free_slots
        self._on_ended = on_ended
        self._on_claimed = on_claimed
        self._may_begin = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None  # without a reference, a task may be collected

    def __repr__(self) -> str:
        state = "blocks" if self.kept_slots else "may begin" if self._may_begin.is_set() else "does not block"
        return f"<WorkWait: {state}, {self.kept_slots} slots kept>"

    def allow(self) -> None:
        """Let one claim block: the loop has nothing to do."""
        self._may_begin.set()

    async def claim_once(self) -> None:
        """Wait until it is allowed, and claim once. Raises what redis-py raises."""
        if not self.kept_slots:  # else the answer to the last claim was lost, and it is sent again
            await self._may_begin.wait()
            self._may_begin.clear()
            self.kept_slots = self._free_slots()
            if not self.kept_slots:
                return
        try:
            result = await self._consumer.wait_and_claim(self.kept_slots)
        except CONNECTION_ERRORS:
            if self._drain.seconds > LEASE_SECONDS:
                self._consumer.abandon_claims()
                self._end()
            raise
        kept = self._end()
        await self._on_claimed(result, kept)

    def end_soon(self) -> None:
        """Let the claim that blocks, if there is one, return at once."""
        if self.kept_slots:
            self._ending = asyncio.create_task(self._stop_waiting())

    async def _stop_waiting(self) -> None:
        with contextlib.suppress(*CONNECTION_ERRORS):  # it ends by itself within 2 s
            await self._consumer.stop_waiting()

    def _end(self) -> int:
        kept, self.kept_slots = self.kept_slots, 0
        self._may_begin.clear()  # the loop claims first; if that finds nothing, it allows the next wait
        self._on_ended()
        return kept
