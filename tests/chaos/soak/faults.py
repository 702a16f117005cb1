"""Everything that is done to the stack in a soak, and how each round of it is drawn from the seed."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.link_faults import Delay, Fault, Swallow, Throttle
from tests.chaos.proxy import Proxy
from tests.chaos.soak.yard import GATEWAYS, POOLS, Yard

Deed = Callable[[Yard, random.Random], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault; `strike` does it, and returns when it is over."""

    name: str
    strike: Deed


def draw_faults(seed: int) -> Iterator[Kind]:
    """Give faults without end: every kind once in each round, in an order that the seed decides."""
    chance = random.Random(seed)
    while True:
        yield from chance.sample(KINDS, len(KINDS))


def _kill_worker(yard: Yard, chance: random.Random) -> None:
    with suppress(ProcessLookupError):
        os.kill(chance.choice(yard.worker_pids()), signal.SIGKILL)


def _freeze_worker(yard: Yard, chance: random.Random) -> None:
    pid = chance.choice(yard.worker_pids())
    os.kill(pid, signal.SIGSTOP)
    time.sleep(8)
    os.kill(pid, signal.SIGCONT)


def _kill_gateway(yard: Yard, chance: random.Random) -> None:
    yard.end_gateway(chance.randrange(GATEWAYS), signal.SIGKILL)


def _end_gateway(yard: Yard, chance: random.Random) -> None:
    yard.end_gateway(chance.randrange(GATEWAYS), signal.SIGTERM)


def _freeze_gateway(yard: Yard, chance: random.Random) -> None:
    frozen = chance.choice(yard.gateways)
    frozen.send_signal(signal.SIGSTOP)
    time.sleep(3)
    frozen.send_signal(signal.SIGCONT)


def _end_pool(yard: Yard, chance: random.Random) -> None:
    yard.end_pool(chance.randrange(POOLS))


def _restart_redis(*, empty: bool) -> Deed:
    def strike(yard: Yard, chance: random.Random) -> None:
        yard.redis_server.kill()
        if empty:
            yard.redis_server.forget()
        time.sleep(chance.uniform(0.0, 2.0))
        yard.redis_server.start()

    return strike


def _freeze_redis(seconds: float) -> Deed:
    def strike(yard: Yard, chance: random.Random) -> None:
        with yard.redis_server.frozen():
            time.sleep(seconds)

    return strike


def _pause_redis(yard: Yard, chance: random.Random) -> None:
    yard.redis.client_pause(3000)
    time.sleep(3)


def _kill_connections(yard: Yard, chance: random.Random) -> None:
    for _ in range(10):
        yard.redis.client_kill_filter(_type="normal", skipme=True)
        time.sleep(0.1)


def _fill_redis(yard: Yard, chance: random.Random) -> None:
    yard.redis.config_set("maxmemory", 1)
    time.sleep(3)
    yard.redis.config_set("maxmemory", 0)


def _on_link(link: Callable[[Yard], Proxy], fault: Fault, seconds: float) -> Deed:
    def strike(yard: Yard, chance: random.Random) -> None:
        link(yard).strike(fault)
        time.sleep(seconds)
        link(yard).heal()

    return strike


def _refuse_at_target(yard: Yard, chance: random.Random) -> None:
    yard.to_target.refuse()
    yard.to_target.reset()
    time.sleep(2)
    yard.to_target.accept()


def _reset_at_target(yard: Yard, chance: random.Random) -> None:
    yard.to_target.reset()


def _gateways_to_redis(yard: Yard) -> Proxy:
    return yard.gateways_to_redis


def _workers_to_redis(yard: Yard) -> Proxy:
    return yard.workers_to_redis


def _to_target(yard: Yard) -> Proxy:
    return yard.to_target


KINDS = (
    Kind("worker killed", _kill_worker),
    Kind("worker frozen for 8 s", _freeze_worker),
    Kind("workers told to end", _end_pool),
    Kind("gateway killed", _kill_gateway),
    Kind("gateway told to end", _end_gateway),
    Kind("gateway frozen for 3 s", _freeze_gateway),
    Kind("Redis restarted, empty", _restart_redis(empty=True)),
    Kind("Redis restarted, with its data", _restart_redis(empty=False)),
    Kind("Redis frozen for 1 s", _freeze_redis(1)),
    Kind("Redis frozen for 8 s", _freeze_redis(8)),
    Kind("Redis paused for 3 s", _pause_redis),
    Kind("connections to Redis killed", _kill_connections),
    Kind("Redis out of memory for 3 s", _fill_redis),
    Kind("workers cut off from Redis for 8 s", _on_link(_workers_to_redis, Swallow(), 8)),
    Kind("gateways cut off from Redis for 4 s", _on_link(_gateways_to_redis, Swallow(), 4)),
    Kind("slow link to Redis for 3 s", _on_link(_workers_to_redis, Delay(0.02), 3)),
    Kind("target refuses for 2 s", _refuse_at_target),
    Kind("target resets its connections", _reset_at_target),
    Kind("target silent for 3 s", _on_link(_to_target, Swallow(), 3)),
    Kind("slow link to the target for 3 s", _on_link(_to_target, Throttle(200_000), 3)),
)
