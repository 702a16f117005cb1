"""One soak: traffic all the time, fault after fault with time to settle between, and what was seen of both."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from redis.exceptions import RedisError

from fast_priority.local.child_processes import wait_until
from loadtests.records import Arrival
from tests.chaos.load.plan import Done
from tests.chaos.soak.clients import Clients
from tests.chaos.soak.faults import draw_faults
from tests.chaos.soak.memory import Memory
from tests.chaos.soak.traffic import SERVICE_SECONDS, plan_traffic
from tests.chaos.soak.windows import Harm, Window
from tests.chaos.soak.yard import GATEWAYS, SLOTS, WORKERS, Yard

# Enough that high requests have somebody to overtake, and little enough that a backlog goes away again.
REQUESTS_PER_SECOND = 0.6 * SLOTS / SERVICE_SECONDS
_CALM_SECONDS = 6.0
_LOOK_SECONDS = 2.0
_EMPTY_SECONDS = 90.0
# A gateway refuses what Redis has not taken within 1.8 s.
_STALL_SECONDS = 0.5
_STALL_SETTLES_SECONDS = 3.0
_STALL_LOOK_SECONDS = 0.1
_REGISTERS = {b"rq:queues", b"rq:workers", b"rq:workers:high", b"rq:workers:low"}
KEYS_AT_REST = len(_REGISTERS) + GATEWAYS + WORKERS + 1
"""rq's registers, a sign of life of each gateway and each worker process, and the name of the deployment."""


@dataclass(slots=True)
class Record:
    """All that was seen."""

    done: list[Done] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    lost_arrivals: int = 0
    latest_seconds: float = 0.0
    held_back_seconds: float = 0.0
    windows: list[Window] = field(default_factory=list)
    stalls: list[Window] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    keys_after: list[str] = field(default_factory=list)
    keys_without_end: list[str] = field(default_factory=list)


async def soak(yard: Yard, seed: int, seconds: float, say: Callable[[str], None]) -> Record:
    """Torment the stack for so long, and give what was seen."""
    record, ended = Record(), asyncio.Event()
    clients = Clients(yard.urls)
    watching = [
        asyncio.create_task(_follow_arrivals(yard.mock_url, record)),
        asyncio.create_task(_look_at_memory(yard, record.memory)),
        asyncio.create_task(_look_for_stalls(yard, record)),
    ]
    sending = asyncio.create_task(clients.run(plan_traffic(seed, REQUESTS_PER_SECOND, GATEWAYS), ended))
    try:
        await _torment(yard, seed, seconds, record, clients, say)
    finally:
        ended.set()
        say("waiting for the last answers")
        await sending
        record.done, record.latest_seconds = clients.done, clients.latest_seconds
        record.held_back_seconds = clients.held_back_seconds
        await asyncio.to_thread(_look_at_what_stays, yard, record, say)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return record


async def _torment(
    yard: Yard, seed: int, seconds: float, record: Record, clients: Clients, say: Callable[[str], None]
) -> None:
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    await asyncio.sleep(_CALM_SECONDS)
    for number, kind in enumerate(draw_faults(seed, with_clock=yard.redis_server.clock is not None), 1):
        if time.monotonic() + kind.settle_seconds + _CALM_SECONDS > until:
            break
        say(f"{number:>3}  {kind.name:<36} {len(clients.done):>7,} done, {clients.under_way} under way")
        began_at = time.time()
        await asyncio.to_thread(kind.strike, yard, chance)
        over_at = time.time()
        record.windows.append(Window(kind.name, began_at, over_at, over_at + kind.settle_seconds, kind.harm))
        await asyncio.sleep(kind.settle_seconds + _CALM_SECONDS)


async def _follow_arrivals(mock_url: str, record: Record) -> None:
    url = f"{mock_url}/__admin/arrivals.ndjson?follow=true"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session, session.get(url) as lines:
        async for line in lines.content:
            told = json.loads(line)
            if "lost" in told:
                record.lost_arrivals += told["lost"]
            elif told["request_id"] is not None:
                record.arrivals.append(Arrival.from_dict(told))


async def _look_at_memory(yard: Yard, memory: Memory) -> None:
    while True:
        await asyncio.to_thread(memory.look, yard.roles())
        await asyncio.sleep(_LOOK_SECONDS)


async def _look_for_stalls(yard: Yard, record: Record) -> None:
    """Note when an answer of Redis is slow to come here: on a busy machine all proxies, which run here, are slow then.

    A gateway may refuse requests at such a time, whatever fault there is.
    """
    while True:
        asked_at = time.time()
        with suppress(RedisError, OSError):
            await asyncio.to_thread(yard.redis.ping)
        answered_at = time.time()
        if answered_at - asked_at > _STALL_SECONDS:
            settled_at = answered_at + _STALL_SETTLES_SECONDS
            record.stalls.append(Window("slow by itself", asked_at, answered_at, settled_at, Harm.REFUSALS))
        await asyncio.sleep(_STALL_LOOK_SECONDS)


def _look_at_what_stays(yard: Yard, record: Record, say: Callable[[str], None]) -> None:
    """Wait until Redis holds no more than at rest; note what is left if it never does."""
    yard.heal()
    say("waiting until Redis is at rest")
    with suppress(TimeoutError):
        wait_until("Redis is at rest", lambda: len(yard.redis.keys("*")) <= KEYS_AT_REST, _EMPTY_SECONDS)
    keys: list[bytes] = yard.redis.keys("*")
    record.keys_after = sorted(key.decode() for key in keys)
    record.keys_without_end = sorted(
        key.decode() for key in keys if yard.redis.ttl(key) == -1 and key not in _REGISTERS
    )
