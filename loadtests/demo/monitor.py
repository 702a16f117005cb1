"""Reads gateway and target while the demo's traffic runs."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from fast_priority.errors import ConfigurationError
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from loadtests.demo.request_log import RequestLog
from loadtests.demo.stack import DemoStack
from loadtests.demo.traffic import Traffic
from loadtests.demo.traffic_plan import TrafficPlan

_LOOK_EVERY_SECONDS = 0.05  # often: a high request is judged from the first sample after its sending
_SHOW_EVERY_SECONDS = 0.2
_WITHIN_SECONDS = 2.0


@dataclass(slots=True)
class DemoState:
    """The state that the picture shows: the plan, the requests so far, and the gateway's queue lengths."""

    plan: TrafficPlan
    request_log: RequestLog
    elapsed_seconds: float = 0.0
    waiting: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(DEFAULT_LEVELS, 0))
    in_flight: int = 0


async def run_traffic(stack: DemoStack, state: DemoState, show: Callable[[DemoState], None]) -> None:
    """Run the traffic, and show the state several times a second.

    Raises ConfigurationError if a process ends meanwhile, or if the target's log cannot be read at the end.
    """
    # Not the traffic's session: a sample must not wait for a connection behind the traffic.
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WITHIN_SECONDS)) as session:
        monitor = _Monitor(session, stack, state)
        traffic = asyncio.create_task(Traffic(stack.gateway_url, state.plan, state.request_log).run())
        polling = asyncio.create_task(monitor.poll_queues())
        try:
            while not traffic.done():
                stack.check()
                await monitor.read_log()
                show(state)
                await asyncio.wait([traffic], timeout=_SHOW_EVERY_SECONDS)
            await traffic
        finally:
            for task in (traffic, polling):
                task.cancel()
            await asyncio.gather(traffic, polling, return_exceptions=True)
        if not await monitor.read_log():
            raise ConfigurationError("the arrival log of the mock target cannot be read")
        state.elapsed_seconds = state.plan.seconds
        show(state)


class _Monitor:
    """Reads gateway and target, and updates the state."""

    def __init__(self, session: aiohttp.ClientSession, stack: DemoStack, state: DemoState) -> None:
        self._session = session
        self._stack = stack
        self._state = state

    async def poll_queues(self) -> None:
        """Sample the gateway's queues continuously, until cancelled."""
        state = self._state
        started = time.monotonic()
        while True:
            begun_at = time.time()
            health = await self._get(f"{self._stack.gateway_url}/gateway_health")
            if health is not None and health["redis_reachable"]:
                state.request_log.record_queue_sample(begun_at)
                # The queues become empty at the end of the traffic; the last picture shows the traffic.
                if time.monotonic() - started <= state.plan.seconds:
                    state.elapsed_seconds = time.monotonic() - started
                    state.waiting = {priority: health["queue"][priority] for priority in DEFAULT_LEVELS}
                    state.in_flight = health["in_flight"]
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def read_log(self) -> bool:
        """Add the target's new arrivals to the request log; return whether the target responded."""
        log = await self._get(f"{self._stack.target_url}/__admin/arrivals")
        if log is not None:
            self._state.request_log.add_arrivals(log["arrivals"])
        return log is not None

    async def _get(self, url: str) -> dict[str, Any] | None:
        try:
            async with self._session.get(url) as response:
                body: dict[str, Any] = await response.json()
                return body if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
