"""One soak: constant traffic, one fault after another with time to settle, and a record of both."""

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
from tests.chaos.soak.stack import GATEWAYS, REGISTRIES, SLOTS, SoakStack
from tests.chaos.soak.traffic import SERVICE_SECONDS, plan_traffic
from tests.chaos.soak.windows import Harm, Window

# Enough that high requests overtake low ones, and little enough that a backlog shrinks again.
REQUESTS_PER_SECOND = 0.6 * SLOTS / SERVICE_SECONDS
_CALM_SECONDS = 6.0
_POLL_SECONDS = 2.0
_EMPTY_SECONDS = 90.0
# A gateway refuses a request that Redis has not accepted within 1.8 s.
_STALL_SECONDS = 0.5
_STALL_SETTLES_SECONDS = 3.0
_STALL_POLL_SECONDS = 0.1


@dataclass(slots=True)
class Record:
    """Everything that a soak observed."""

    done: list[Done] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    lost_arrivals: int = 0
    latest_seconds: float = 0.0
    held_back_seconds: float = 0.0
    windows: list[Window] = field(default_factory=list)
    stalls: list[Window] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    keys_at_rest: int = 0
    keys_after: list[str] = field(default_factory=list)
    keys_without_end: list[str] = field(default_factory=list)


async def soak(stack: SoakStack, seed: int, seconds: float, print_line: Callable[[str], None]) -> Record:
    """Inject faults into the stack for `seconds`, and return what was observed."""
    record, ended = Record(keys_at_rest=stack.shape.keys_at_rest), asyncio.Event()
    clients = Clients(stack.urls)
    watching = [
        asyncio.create_task(_follow_arrivals(stack.mock_url, record)),
        asyncio.create_task(_sample_memory(stack, record.memory)),
        asyncio.create_task(_watch_for_stalls(stack, record)),
    ]
    sending = asyncio.create_task(clients.run(plan_traffic(seed, REQUESTS_PER_SECOND, GATEWAYS), ended))
    try:
        await _inject_faults(stack, seed, seconds, record, clients, print_line)
    finally:
        ended.set()
        print_line("waiting for the last responses")
        await sending
        record.done, record.latest_seconds = clients.done, clients.latest_seconds
        record.held_back_seconds = clients.held_back_seconds
        await asyncio.to_thread(_check_leftovers, stack, record, print_line)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return record


async def _inject_faults(
    stack: SoakStack, seed: int, seconds: float, record: Record, clients: Clients, print_line: Callable[[str], None]
) -> None:
    rng = random.Random(seed)
    until = time.monotonic() + seconds
    await asyncio.sleep(_CALM_SECONDS)
    for number, kind in enumerate(draw_faults(seed, stack.shape, with_clock=stack.redis_server.clock is not None), 1):
        if time.monotonic() + kind.settle_seconds + _CALM_SECONDS > until:
            break
        print_line(f"{number:>3}  {kind.name:<36} {len(clients.done):>7,} done, {clients.in_flight} in flight")
        began_at = time.time()
        await asyncio.to_thread(kind.inject, stack, rng)
        over_at = time.time()
        record.windows.append(Window(kind.name, began_at, over_at, over_at + kind.settle_seconds, kind.harm))
        await asyncio.sleep(kind.settle_seconds + _CALM_SECONDS)


async def _follow_arrivals(mock_url: str, record: Record) -> None:
    url = f"{mock_url}/__admin/arrivals.ndjson?follow=true"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session, session.get(url) as lines:
        async for line in lines.content:
            row = json.loads(line)
            if "lost" in row:
                record.lost_arrivals += row["lost"]
            elif row["request_id"] is not None:
                record.arrivals.append(Arrival.from_dict(row))


async def _sample_memory(stack: SoakStack, memory: Memory) -> None:
    while True:
        await asyncio.to_thread(memory.sample, stack.roles())
        await asyncio.sleep(_POLL_SECONDS)


async def _watch_for_stalls(stack: SoakStack, record: Record) -> None:
    """Record when a reply of Redis is slow: on a busy machine the proxies, which run in this process, are slow too.

    A gateway may refuse requests at such a time, without any fault.
    """
    while True:
        sent_at = time.time()
        with suppress(RedisError, OSError):
            await asyncio.to_thread(stack.redis.ping)
        answered_at = time.time()
        if answered_at - sent_at > _STALL_SECONDS:
            settled_at = answered_at + _STALL_SETTLES_SECONDS
            record.stalls.append(Window("slow by itself", sent_at, answered_at, settled_at, Harm.REFUSALS))
        await asyncio.sleep(_STALL_POLL_SECONDS)


def _check_leftovers(stack: SoakStack, record: Record, print_line: Callable[[str], None]) -> None:
    """Wait until Redis holds no more than at rest; record what is left if it never does."""
    stack.heal()
    print_line("waiting until Redis holds no request")
    with suppress(TimeoutError):
        wait_until("Redis is at rest", lambda: len(stack.redis.keys("*")) <= stack.shape.keys_at_rest, _EMPTY_SECONDS)
    keys: list[bytes] = stack.redis.keys("*")
    record.keys_after = sorted(key.decode() for key in keys)
    record.keys_without_end = sorted(
        key.decode() for key in keys if stack.redis.ttl(key) == -1 and key not in REGISTRIES
    )
