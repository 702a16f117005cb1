"""The clients of a soak: an open loop, in which no request waits for the answer to another."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence

import aiohttp

from tests.chaos.load.plan import Done, Plan
from tests.chaos.load.sending import open_session, send

_TIMEOUT_SECONDS = 120.0
# More than wait for a gateway frozen for 20 s. A busy machine would queue up more, and the gateway refuses
# requests that are queued for longer than FAST_PRIORITY_TTL.
_MAX_IN_FLIGHT = 600
_POLL_SECONDS = 0.05


class Clients:
    """Sends each planned request at its time, and keeps the results."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.done: list[Done] = []
        self.in_flight = 0
        # The largest delay of a request; a large value means that the processor was busy.
        self.latest_seconds = 0.0
        self.held_back_seconds = 0.0
        self._urls = urls
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, plans: Iterable[Plan], ended: asyncio.Event) -> None:
        """Send until `ended` is set, then wait for the requests in flight."""
        async with open_session() as session:
            began = time.monotonic()
            for plan in itertools.takewhile(lambda _: not ended.is_set(), plans):
                await asyncio.sleep(began + plan.after_seconds - time.monotonic())
                began += await self._wait_below_maximum()
                self.latest_seconds = max(self.latest_seconds, time.monotonic() - began - plan.after_seconds)
                task = asyncio.create_task(self._send(session, plan))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.gather(*self._tasks)

    async def _wait_below_maximum(self) -> float:
        """Return once fewer than the maximum are in flight: the delay of all later requests, in seconds."""
        waited_from = time.monotonic()
        while self.in_flight >= _MAX_IN_FLIGHT:
            await asyncio.sleep(_POLL_SECONDS)
            self.held_back_seconds += _POLL_SECONDS
        return time.monotonic() - waited_from

    async def _send(self, session: aiohttp.ClientSession, plan: Plan) -> None:
        self.in_flight += 1
        try:
            self.done.append(await send(session, self._urls[plan.gateway], plan, _TIMEOUT_SECONDS))
        finally:
            self.in_flight -= 1
