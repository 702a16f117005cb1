"""The clients of a soak: an open loop, where nobody waits for anybody else's answer."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence

import aiohttp

from tests.chaos.load.plan import Done, Plan
from tests.chaos.load.sending import open_session, send

_PATIENCE_SECONDS = 120.0
# More than wait for a gateway that is frozen for 20 s. A machine that is busy with other things would pile up more, and
# what is queued for longer than FAST_PRIORITY_TTL is refused.
_MOST_UNDER_WAY = 600
_LOOK_SECONDS = 0.05


class Clients:
    """Send what is planned, each in its time, and keep what came of it."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.done: list[Done] = []
        self.under_way = 0
        self.latest_seconds = (
            0.0  # how late a request was sent at most: more than a little says that we lack a processor
        )
        self.held_back_seconds = 0.0
        self._urls = urls
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, plans: Iterable[Plan], ended: asyncio.Event) -> None:
        """Send until that has ended, and wait for what is under way."""
        async with open_session() as session:
            began = time.monotonic()
            for plan in itertools.takewhile(lambda _: not ended.is_set(), plans):
                await asyncio.sleep(began + plan.after_seconds - time.monotonic())
                began += await self._wait_while_too_many()
                self.latest_seconds = max(self.latest_seconds, time.monotonic() - began - plan.after_seconds)
                task = asyncio.create_task(self._send(session, plan))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.gather(*self._tasks)

    async def _wait_while_too_many(self) -> float:
        """Return once no more than may be are under way, and how many seconds later than planned all that comes is."""
        waited_from = time.monotonic()
        while self.under_way >= _MOST_UNDER_WAY:
            await asyncio.sleep(_LOOK_SECONDS)
            self.held_back_seconds += _LOOK_SECONDS
        return time.monotonic() - waited_from

    async def _send(self, session: aiohttp.ClientSession, plan: Plan) -> None:
        self.under_way += 1
        try:
            self.done.append(await send(session, self._urls[plan.gateway], plan, _PATIENCE_SECONDS))
        finally:
            self.under_way -= 1
