"""The ways to the target that are compared. All of them run at once, and one at a time is under load."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import IO

from benchmarks.load import LoadResult, RunningLoad, run_load, running_load
from benchmarks.support import has_haproxy
from benchmarks.systems.gateway_stack import (
    GatewayStack,
    running_gateway_stack,
    running_gateways_with_slots,
    running_stack_of_stock_workers,
)
from benchmarks.systems.haproxy import running_haproxy
from benchmarks.systems.nginx_proxy import running_nginx_proxy
from benchmarks.systems.nginx_target import NginxTarget, running_nginx_target
from benchmarks.systems.paths import PASS_THROUGH_PREFIX, PRIORITIES, QUEUE_PREFIX, Priority, path_of

# The names stand in the tables and in docs/evidence/performance.json.
DIRECT, NGINX, HAPROXY = "direct", "nginx", "HAProxy"
HAPROXY_ONE_THREAD = "HAProxy, one thread"
"""By default HAProxy has a thread for each core. On two cores they hinder each other at its queue."""
PASS_THROUGH = "our pass-through"
QUEUE = "our queue, slots in the gateway"
QUEUE_ON_ALL_CORES = "our queue, slots in a gateway process for each core"
"""With the same number of slots in total, as in all shapes."""
WORKERS, WORKERS_ON_ALL_CORES = "our queue, one worker process", "our queue, a worker process for each core"
STOCK_WORKERS = "our queue, stock rq workers"
ALL_CONTENDERS = (DIRECT, NGINX, HAPROXY, PASS_THROUGH, QUEUE, WORKERS, STOCK_WORKERS)
_PAUSE_SECONDS = 0.2  # in which a proxy closes the connections of the last load


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to the target: its name in the tables, its URL, and the prefix of the paths that it is sent."""

    name: str
    url: str
    prefix: str
    wait_until_idle: Callable[[], None]
    """Returns once no request of the last load is left. Raises TimeoutError."""
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """The processes that forward its requests: ids by name, without clients and target."""
    redis_socket: str | None = None

    def run_load(
        self, service_ms: int, connections: int, seconds: int, priorities: tuple[Priority, ...] = PRIORITIES
    ) -> LoadResult:
        """Send load of these priorities in turn, wait until it is idle again, and return the results."""
        result = run_load(self.url, self._paths(service_ms, priorities), connections, seconds)
        self.wait_until_idle()
        return result

    @contextmanager
    def running_load(
        self, service_ms: int, connections: int, seconds: int, priorities: tuple[Priority, ...] = PRIORITIES
    ) -> Iterator[RunningLoad]:
        """Send load during the block, for this time at most."""
        with running_load(self.url, self._paths(service_ms, priorities), connections, seconds) as load:
            yield load

    def _paths(self, service_ms: int, priorities: tuple[Priority, ...]) -> list[str]:
        return [path_of(self.prefix, priority, service_ms) for priority in priorities]


@contextmanager
def running_contenders(
    output: IO[bytes], slots: int, names: tuple[str, ...] = ALL_CONTENDERS, *, with_log: bool = False
) -> Iterator[tuple[NginxTarget, dict[str, Contender]]]:
    """Run the target and these contenders, each with this number of slots; without HAProxy if it is not installed.

    Our pass-through and our queue with slots in the gateway are paths of the same gateway.
    """
    with ExitStack() as processes:
        target = processes.enter_context(running_nginx_target(output, with_log=with_log))
        contenders = [Contender(DIRECT, target.url, QUEUE_PREFIX, _pause)] if DIRECT in names else []
        if NGINX in names:
            url, pid = processes.enter_context(running_nginx_proxy(target.url, output))
            contenders.append(Contender(NGINX, url, QUEUE_PREFIX, _pause, {"nginx": [pid]}))
        for name, threads in ((HAPROXY, None), (HAPROXY_ONE_THREAD, 1)):
            if name in names and has_haproxy():
                url, pid = processes.enter_context(running_haproxy(target.url, slots, output, threads))
                contenders.append(Contender(name, url, QUEUE_PREFIX, _pause, {"HAProxy": [pid]}))
        if PASS_THROUGH in names or QUEUE in names:
            stack = processes.enter_context(running_gateways_with_slots(target.url, output, slots))
            contenders += [one for one in (_pass_through(stack), _queue(stack, QUEUE)) if one.name in names]
        shapes: dict[str, Callable[[], AbstractContextManager[GatewayStack]]] = {
            QUEUE_ON_ALL_CORES: lambda: running_gateways_with_slots(target.url, output, slots, gateways=_cores(slots)),
            WORKERS: lambda: running_gateway_stack(target.url, output, slots),
            WORKERS_ON_ALL_CORES: lambda: running_gateway_stack(target.url, output, slots, workers=_cores(slots)),
            STOCK_WORKERS: lambda: running_stack_of_stock_workers(target.url, output, slots),
        }
        contenders += [_queue(processes.enter_context(run()), name) for name, run in shapes.items() if name in names]
        yield target, {one.name: one for one in contenders}


def _cores(slots: int) -> int:
    """Return the number of cores, or the next smaller number by which the slots can be divided."""
    cores = len(os.sched_getaffinity(0))
    return max(count for count in range(1, cores + 1) if slots % count == 0)


def _queue(stack: GatewayStack, name: str) -> Contender:
    idle = partial(_wait_until_idle, stack)
    return Contender(name, stack.urls[0], QUEUE_PREFIX, idle, stack.processes, stack.redis_socket)


def _pass_through(stack: GatewayStack) -> Contender:
    idle = partial(_wait_until_idle, stack)
    return Contender(PASS_THROUGH, stack.urls[0], PASS_THROUGH_PREFIX, idle, {"gateway": stack.processes["gateway"]})


def _pause() -> None:
    time.sleep(_PAUSE_SECONDS)


def _wait_until_idle(stack: GatewayStack) -> None:
    stack.wait_until_idle()
    _pause()
