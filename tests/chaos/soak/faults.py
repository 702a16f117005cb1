"""All faults of a soak, and the order in which a seed draws them."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from fast_priority.local.child_processes import answers
from tests.chaos.link_faults import Delay, Fault, Hold, Swallow, Throttle
from tests.chaos.proxy import Proxy
from tests.chaos.soak.stack import GATEWAYS, Shape, SoakStack
from tests.chaos.soak.windows import Harm

Injection = Callable[[SoakStack, random.Random], None]
# A lease or a sign of life of 3.5 s, the second attempt, and the backlog of both.
_SETTLE_SECONDS = 12.0
_CUTS = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault; `inject` injects it and returns when it is over.

    `harm` is the most that it may do to requests; its effects end `settle_seconds` after it.
    """

    name: str
    inject: Injection
    harm: Harm
    settle_seconds: float = _SETTLE_SECONDS
    sets_clock: bool = False
    needs_workers: bool = False

    def is_possible(self, shape: Shape, *, with_clock: bool) -> bool:
        """Return whether it can be injected into a stack of this shape."""
        return (with_clock or not self.sets_clock) and (shape.pools > 0 or not self.needs_workers)


def draw_faults(seed: int, shape: Shape = Shape.WORKERS, *, with_clock: bool = True) -> Iterator[Kind]:
    """Yield faults for ever: every kind once per round, in an order that the seed decides.

    Without a clock, the kinds that set it are left out; without workers, those of workers.
    """
    rng = random.Random(seed)
    while True:
        yield from (kind for kind in rng.sample(KINDS, len(KINDS)) if kind.is_possible(shape, with_clock=with_clock))


def _kill_worker(stack: SoakStack, rng: random.Random) -> None:
    with suppress(ProcessLookupError):
        os.kill(rng.choice(stack.worker_pids()), signal.SIGKILL)


def _freeze_worker(stack: SoakStack, rng: random.Random) -> None:
    pid = rng.choice(stack.worker_pids())
    os.kill(pid, signal.SIGSTOP)
    time.sleep(8)
    os.kill(pid, signal.SIGCONT)


def _kill_gateway(stack: SoakStack, rng: random.Random) -> None:
    stack.end_gateway(rng.randrange(GATEWAYS), signal.SIGKILL)


def _end_gateway(stack: SoakStack, rng: random.Random) -> None:
    stack.end_gateway(rng.randrange(GATEWAYS), signal.SIGTERM)


def _freeze_gateway(seconds: float) -> Injection:
    def inject(stack: SoakStack, rng: random.Random) -> None:
        frozen = rng.choice(stack.gateways)
        frozen.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        frozen.send_signal(signal.SIGCONT)

    return inject


def _end_pool(stack: SoakStack, rng: random.Random) -> None:
    stack.end_pool(rng.randrange(stack.shape.pools))


def _restart_redis(*, empty: bool) -> Injection:
    def inject(stack: SoakStack, rng: random.Random) -> None:
        stack.redis_server.kill()
        if empty:
            stack.redis_server.delete_data()
        time.sleep(rng.uniform(0.0, 2.0))
        stack.redis_server.start()

    return inject


def _freeze_redis(seconds: float) -> Injection:
    def inject(stack: SoakStack, rng: random.Random) -> None:
        with stack.redis_server.frozen():
            time.sleep(seconds)

    return inject


def _pause_redis(stack: SoakStack, rng: random.Random) -> None:
    stack.redis.client_pause(3000)
    time.sleep(3)


def _kill_connections(stack: SoakStack, rng: random.Random) -> None:
    for _ in range(_CUTS):
        stack.redis.client_kill_filter(_type="normal", skipme=True)
        _wait_until_reconnected(stack)


def _reset_links(stack: SoakStack, rng: random.Random) -> None:
    for _ in range(_CUTS):
        stack.gateways_to_redis.reset()
        stack.workers_to_redis.reset()
        _wait_until_reconnected(stack)


def _wait_until_reconnected(stack: SoakStack) -> None:
    """Wait for 0.1 s, and until each gateway has used a new connection to Redis."""
    time.sleep(0.1)
    for url in stack.urls:
        answers(f"{url}/gateway_health")


def _set_clock(*choices: int) -> Injection:
    def inject(stack: SoakStack, rng: random.Random) -> None:
        assert stack.redis_server.clock is not None
        stack.redis_server.clock.jump(rng.choice(choices))

    return inject


def _fill_redis(stack: SoakStack, rng: random.Random) -> None:
    stack.redis.config_set("maxmemory", 1)
    time.sleep(3)
    stack.redis.config_set("maxmemory", 0)


def _on_link(link: Callable[[SoakStack], Proxy], fault: Fault, seconds: float) -> Injection:
    def inject(stack: SoakStack, rng: random.Random) -> None:
        link(stack).inject(fault)
        time.sleep(seconds)
        link(stack).heal()

    return inject


def _lose_replies(link: Callable[[SoakStack], Proxy], fault: Fault, seconds: float) -> Injection:
    """Return a fault that holds or loses the replies of Redis, while requests to Redis pass."""

    def inject(stack: SoakStack, rng: random.Random) -> None:
        link(stack).downstream = fault
        time.sleep(seconds)
        link(stack).heal()

    return inject


def _refuse_at_target(stack: SoakStack, rng: random.Random) -> None:
    stack.to_target.refuse()
    stack.to_target.reset()
    time.sleep(2)
    stack.to_target.accept()


def _reset_at_target(stack: SoakStack, rng: random.Random) -> None:
    stack.to_target.reset()


def _gateways_to_redis(stack: SoakStack) -> Proxy:
    return stack.gateways_to_redis


def _workers_to_redis(stack: SoakStack) -> Proxy:
    return stack.workers_to_redis


def _to_target(stack: SoakStack) -> Proxy:
    return stack.to_target


KINDS = (
    Kind("worker killed", _kill_worker, Harm.BREAKS, needs_workers=True),
    Kind("worker frozen for 8 s", _freeze_worker, Harm.BREAKS, needs_workers=True),
    Kind("workers stopped gracefully", _end_pool, Harm.NOTHING, needs_workers=True),
    Kind("gateway killed", _kill_gateway, Harm.BREAKS),
    Kind("gateway stopped gracefully", _end_gateway, Harm.REFUSALS),
    Kind("gateway frozen for 2.5 s", _freeze_gateway(2.5), Harm.REFUSALS),
    Kind("gateway frozen for 20 s", _freeze_gateway(20), Harm.BREAKS),
    Kind("Redis restarted, empty", _restart_redis(empty=True), Harm.BREAKS),
    Kind("Redis restarted, with its data", _restart_redis(empty=False), Harm.BREAKS),
    Kind("Redis frozen for 1 s", _freeze_redis(1), Harm.REFUSALS),
    Kind("Redis frozen for 8 s", _freeze_redis(8), Harm.REFUSALS),
    Kind("Redis paused for 3 s", _pause_redis, Harm.REFUSALS),
    Kind("connections to Redis killed for 3 s", _kill_connections, Harm.NOTHING),
    Kind("links to Redis reset for 3 s", _reset_links, Harm.NOTHING),
    Kind("Redis out of memory for 3 s", _fill_redis, Harm.REFUSALS),
    Kind("Redis's clock set by a few seconds", _set_clock(2, 5, -5), Harm.NOTHING, sets_clock=True),
    Kind("Redis's clock set forward by an hour", _set_clock(3600), Harm.BREAKS, sets_clock=True),
    Kind(
        "workers cut off from Redis for 8 s", _on_link(_workers_to_redis, Swallow(), 8), Harm.BREAKS, needs_workers=True
    ),
    # For longer than a sign of life lasts: workers break the calls of these gateways off.
    Kind("gateways cut off from Redis for 4 s", _on_link(_gateways_to_redis, Swallow(), 4), Harm.BREAKS),
    Kind("replies to gateways held for 4 s", _lose_replies(_gateways_to_redis, Hold(), 4), Harm.BREAKS),
    Kind("replies to gateways lost for 4 s", _lose_replies(_gateways_to_redis, Swallow(), 4), Harm.BREAKS),
    Kind(
        "replies to workers lost for 4 s",
        _lose_replies(_workers_to_redis, Swallow(), 4),
        Harm.BREAKS,
        needs_workers=True,
    ),
    Kind("slow link to Redis for 3 s", _on_link(_workers_to_redis, Delay(0.02), 3), Harm.NOTHING, needs_workers=True),
    Kind("target refuses for 2 s", _refuse_at_target, Harm.BREAKS),
    Kind("target resets its connections", _reset_at_target, Harm.BREAKS),
    Kind("target silent for 3 s", _on_link(_to_target, Swallow(), 3), Harm.BREAKS),
    Kind("slow link to the target for 3 s", _on_link(_to_target, Throttle(200_000), 3), Harm.NOTHING),
)
