"""What is to be seen while the demo's traffic flows."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from fast_priority.errors import ConfigurationError
from fast_priority.priority import Priority
from loadtests.demo.request_log import Ledger
from loadtests.demo.stack import Stage
from loadtests.demo.traffic import Traffic
from loadtests.demo.traffic_plan import Plan

_LOOK_EVERY_SECONDS = 0.05  # often: the verdict on a high request begins with the first look after it
_SHOW_EVERY_SECONDS = 0.2
_WITHIN_SECONDS = 2.0


@dataclass(slots=True)
class Scene:
    """What a picture of the demo shows: the plan, the requests so far, and the gateway's last word on its queues."""

    plan: Plan
    ledger: Ledger
    elapsed_seconds: float = 0.0
    waiting: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    in_flight: int = 0


async def play(stage: Stage, scene: Scene, show: Callable[[Scene], None]) -> None:
    """Let the traffic flow, showing the scene several times a second.

    Raises ConfigurationError if a part ends meanwhile, or the target cannot tell at the end what it has seen.
    """
    # Another session than the traffic's: a look must not wait for a connection behind what is looked at.
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WITHIN_SECONDS)) as session:
        watcher = _Watcher(session, stage, scene)
        traffic = asyncio.create_task(Traffic(stage.gateway_url, scene.plan, scene.ledger).flow())
        looking = asyncio.create_task(watcher.keep_looking())
        try:
            while not traffic.done():
                stage.check()
                await watcher.read_log()
                show(scene)
                await asyncio.wait([traffic], timeout=_SHOW_EVERY_SECONDS)
            await traffic
        finally:
            for task in (traffic, looking):
                task.cancel()
            await asyncio.gather(traffic, looking, return_exceptions=True)
        if not await watcher.read_log():
            raise ConfigurationError("the mock target does not tell what it has seen")
        scene.elapsed_seconds = scene.plan.seconds
        show(scene)


class _Watcher:
    """Asks the gateway and the target what there is to see, and puts it into the scene."""

    def __init__(self, session: aiohttp.ClientSession, stage: Stage, scene: Scene) -> None:
        self._session = session
        self._stage = stage
        self._scene = scene

    async def keep_looking(self) -> None:
        """Look at the gateway's queues, one look after the other, until cancelled."""
        scene = self._scene
        started = time.monotonic()
        while True:
            begun_at = time.time()
            health = await self._get(f"{self._stage.gateway_url}/gateway_health")
            if health is not None and health["redis_reachable"]:
                scene.ledger.look(begun_at)
                # The queues run empty when the traffic's time is over; the last picture is of its midst.
                if time.monotonic() - started <= scene.plan.seconds:
                    scene.elapsed_seconds = time.monotonic() - started
                    scene.waiting = {priority: health["queue"][priority] for priority in Priority}
                    scene.in_flight = health["in_flight"]
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def read_log(self) -> bool:
        """Take what the target has seen since the last time into the ledger; tell whether it answered."""
        log = await self._get(f"{self._stage.target_url}/__admin/arrivals")
        if log is not None:
            self._scene.ledger.read(log["arrivals"])
        return log is not None

    async def _get(self, url: str) -> dict[str, Any] | None:
        try:
            async with self._session.get(url) as response:
                answer: dict[str, Any] = await response.json()
                return answer if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
