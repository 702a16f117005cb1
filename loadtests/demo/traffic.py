"""The demo's clients: a flood of low requests, and high ones in between."""

import asyncio
import time
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import aiohttp

from fast_priority.scheduling.priority import Priority
from loadtests.demo.request_log import RequestLog
from loadtests.demo.stack import LOW_PATHS
from loadtests.demo.traffic_plan import TrafficPlan

_PATHS = {Priority.HIGH: "/orders", Priority.LOW: f"/{LOW_PATHS}reports"}
_DRAIN_SECONDS = 1.5
_PAUSE_AFTER_FAILURE_SECONDS = 0.2


class Traffic:
    """Sends the planned requests to the gateway, and records them in the request log."""

    def __init__(self, gateway_url: str, plan: TrafficPlan, request_log: RequestLog) -> None:
        self._gateway_url = gateway_url
        self._plan = plan
        self._request_log = request_log
        self._high: set[asyncio.Task[bool]] = set()

    async def run(self) -> None:
        """Send for the planned time; then cancel the low requests, and wait briefly for the high ones."""
        async with self._new_session() as session:
            flood = [asyncio.create_task(self._send_low(session)) for _ in range(self._plan.low_clients)]
            try:
                await self._send_high(session)
                await _end(flood)
                if self._high:
                    await asyncio.wait(self._high, timeout=_DRAIN_SECONDS)
            finally:
                await _end([*flood, *self._high])

    def _new_session(self) -> aiohttp.ClientSession:
        async def note(_: Any, context: SimpleNamespace, __: Any) -> None:
            self._request_log.record_sent(context.trace_request_ctx)

        # A request counts as sent when its head is written: connecting is not part of its wait at the gateway.
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(note)
        return aiohttp.ClientSession(
            self._gateway_url,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=[trace],
        )

    async def _send_high(self, session: aiohttp.ClientSession) -> None:
        started = time.monotonic()
        for at_seconds in self._plan.high_times_seconds():
            await asyncio.sleep(started + at_seconds - time.monotonic())
            # Sent when due, even if earlier ones are not finished: real clients do not wait for each other.
            task = asyncio.create_task(self._send(session, Priority.HIGH))
            self._high.add(task)
            task.add_done_callback(self._high.discard)
        await asyncio.sleep(started + self._plan.seconds - time.monotonic())

    async def _send_low(self, session: aiohttp.ClientSession) -> None:
        while True:
            if not await self._send(session, Priority.LOW):
                await asyncio.sleep(_PAUSE_AFTER_FAILURE_SECONDS)

    async def _send(self, session: aiohttp.ClientSession, priority: Priority) -> bool:
        request_id = self._request_log.next_request_id(priority)
        fields = {"X-Request-ID": request_id}
        try:
            async with session.get(_PATHS[priority], headers=fields, trace_request_ctx=request_id) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._request_log.record_failure(type(error).__name__)
            return False
        if response.status != 200:
            self._request_log.record_failure(f"status {response.status}")
            return False
        self._request_log.record_response(priority)
        return True


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
