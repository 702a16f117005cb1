"""The ways to the target that are compared: all of them run at once, and one of them is under load at a time."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO

from benchmarks.load.wrk import Load, Loaded, load, loading
from benchmarks.support.machine import has_haproxy
from benchmarks.support.programs import tail_shown_on_failure
from benchmarks.systems.haproxy import running_haproxy
from benchmarks.systems.nginx import Target, running_reverse_proxy, running_target
from benchmarks.systems.paths import PLAIN, PRIORITIES, QUEUE, Priority, path_of
from benchmarks.systems.stack import Stack, running_ours, running_stock

DIRECT, NGINX, HAPROXY = "direct", "nginx", "HAProxy"
HAPROXY_ALONE = "HAProxy, one thread"
"""As it comes, HAProxy has a thread for each core, and on two cores they stand in each other's way at its queue."""
PASSED, QUEUED, STOCK = "our pass-through", "our queue", "our queue, stock rq workers"
QUEUED_ON_CORES = "our queue, a worker process for each core"
"""With as many slots in all. Like HAProxy's threads they share the work of one moment."""
ALL = (DIRECT, NGINX, HAPROXY, PASSED, QUEUED, STOCK)
_PAUSE_SECONDS = 0.2  # in which a proxy lets go of what its clients left behind


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the target: its name in the tables, and where it is asked."""

    name: str
    url: str
    prefix: str
    settle: Callable[[], None]
    """Returns once nothing is left of the load before."""
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """What carries its requests: process ids by name; without clients and target."""
    redis_socket: str | None = None

    def load(
        self, service_ms: int, connections: int, seconds: int, priorities: tuple[Priority, ...] = PRIORITIES
    ) -> Loaded:
        """Put load on, of these priorities in turn, and give what was seen; the way is idle again then."""
        seen = load(self.url, self.paths(service_ms, priorities), connections, seconds)
        self.settle()
        return seen

    @contextmanager
    def loading(
        self, service_ms: int, connections: int, seconds: int, priorities: tuple[Priority, ...] = PRIORITIES
    ) -> Iterator[Load]:
        """Put load on beside what the block does; end it with the block."""
        with loading(self.url, self.paths(service_ms, priorities), connections, seconds) as running:
            yield running

    def paths(self, service_ms: int, priorities: tuple[Priority, ...] = PRIORITIES) -> list[str]:
        """Give the paths that ask for such a service."""
        return [path_of(self.prefix, priority, service_ms) for priority in priorities]


@contextmanager
def measuring() -> Iterator[IO[bytes]]:
    """Have a file that parts write to while the block lasts; its end is shown on stderr if the block raises."""
    with tempfile.TemporaryFile() as output, tail_shown_on_failure(output):
        yield output


@contextmanager
def running_ways(
    output: IO[bytes], slots: int, names: tuple[str, ...] = ALL, *, keeps_log: bool = False
) -> Iterator[tuple[Target, dict[str, Way]]]:
    """Run the target and these ways to it, each with so many slots; HAProxy is left out where there is none.

    Our pass-through is a path of the same gateway that our queue has.
    """
    with ExitStack() as parts:
        target = parts.enter_context(running_target(output, keeps_log=keeps_log))
        ways = [Way(DIRECT, target.url, QUEUE, _pause)] if DIRECT in names else []
        if NGINX in names:
            url, pid = parts.enter_context(running_reverse_proxy(target.url, output))
            ways.append(Way(NGINX, url, QUEUE, _pause, {"nginx": [pid]}))
        if HAPROXY in names and has_haproxy():
            url, pid = parts.enter_context(running_haproxy(target.url, slots, output))
            ways.append(Way(HAPROXY, url, QUEUE, _pause, {"HAProxy": [pid]}))
        if HAPROXY_ALONE in names and has_haproxy():
            url, pid = parts.enter_context(running_haproxy(target.url, slots, output, threads=1))
            ways.append(Way(HAPROXY_ALONE, url, QUEUE, _pause, {"HAProxy": [pid]}))
        if PASSED in names or QUEUED in names:
            ours = _ours(parts.enter_context(running_ours(target.url, output, slots)))
            ways += [way for way in ours if way.name in names]
        if QUEUED_ON_CORES in names:
            stack = parts.enter_context(running_ours(target.url, output, slots, workers=worker_processes(slots)))
            ways.append(replace(_ours(stack)[-1], name=QUEUED_ON_CORES))
        if STOCK in names:
            stock = parts.enter_context(running_stock(target.url, output, slots))
            settle = partial(_settle, stock)
            ways.append(Way(STOCK, stock.urls[0], QUEUE, settle, stock.processes, stock.redis_socket))
        yield target, {way.name: way for way in ways}


def worker_processes(slots: int) -> int:
    """Give how many worker processes there are where each core has one: fewer if slots cannot be shared out evenly."""
    cores = os.cpu_count() or 1
    return max(count for count in range(1, cores + 1) if slots % count == 0)


def _ours(stack: Stack) -> list[Way]:
    settle, url = partial(_settle, stack), stack.urls[0]
    only_gateway = {"gateway": stack.processes["gateway"]}
    return [
        Way(PASSED, url, PLAIN, settle, only_gateway),
        Way(QUEUED, url, QUEUE, settle, stack.processes, stack.redis_socket),
    ]


def _pause() -> None:
    time.sleep(_PAUSE_SECONDS)


def _settle(stack: Stack) -> None:
    stack.wait_until_idle()
    _pause()
