"""Gateways, their Redis and their workers, in any number, ours or rq's stock ones."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from redis import Redis
from rq import Worker

from benchmarks.systems.paths import PLAIN, QUEUE, all_paths
from fast_priority.embedded_redis import embedded_redis
from fast_priority.free_ports import free_port
from fast_priority.stack import (
    Part,
    gateway_part,
    isolated,
    running,
    wait_until,
    wait_until_answers,
    wait_until_slots,
    worker_part,
)

_no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Nothing is turned away: how many clients there are is for the measurement to say.
_SETTINGS = {
    "FAST_PRIORITY_HIGH_PRIO_PATHS": "listed",
    "FAST_PRIORITY_PRIO_BASE_PATHS": f"{QUEUE}/high/".lstrip("/"),
    "FAST_PRIORITY_PASS_THROUGH": ",".join(path.lstrip("/") for path, _ in all_paths(PLAIN)),
    "FAST_PRIORITY_MAX_QUEUED_HIGH": "50000",
    "FAST_PRIORITY_MAX_QUEUED_LOW": "50000",
}


@dataclass
class Stack:
    """What runs: where its gateways are, its Redis, and process ids by name."""

    redis_socket: str
    urls: list[str] = field(default_factory=list)
    processes: dict[str, list[int]] = field(default_factory=dict)

    def waiting(self) -> int | None:
        """Give how many requests wait; None if the gateway cannot tell."""
        queue = self.health()["queue"]
        return None if None in queue.values() else sum(queue.values())

    def wait_until_idle(self) -> None:
        """Return once nothing waits and no slot is taken; raises TimeoutError if that does not come."""
        wait_until("nothing is left of the load before", self._is_idle, 60.0)

    def health(self) -> dict[str, Any]:
        """Give what the first gateway says of itself."""
        with _no_proxy.open(f"{self.urls[0]}/gateway_health", timeout=30) as response:
            found: dict[str, Any] = json.load(response)
            return found

    def _is_idle(self) -> bool:
        return self.waiting() == 0 and not self.health()["in_flight"]


@contextmanager
def running_ours(
    target_url: str, output: IO[bytes], slots: int, *, workers: int = 1, gateways: int = 1
) -> Iterator[Stack]:
    """Run a stack whose workers have so many slots together; it is ready when the block begins."""
    with _running_gateways(target_url, output, gateways) as (stack, parts):
        part = worker_part(workers, slots // workers, stack.redis_socket)
        worker = parts.enter_context(running(isolated(part), output))
        wait_until_slots([worker], stack.urls[0], slots)
        stack.processes["worker"] = [worker.pid]
        yield stack


@contextmanager
def running_stock(target_url: str, output: IO[bytes], slots: int) -> Iterator[Stack]:
    """Run a stack with as many stock `rq worker high low` as there are slots, as rq's documentation starts them."""
    with _running_gateways(target_url, output, 1) as (stack, parts):
        url = f"unix://{stack.redis_socket}"
        part = Part("rq worker", ("-m", "rq.cli", "worker", "-q", "-u", url, "high", "low"), {})
        workers = [parts.enter_context(running(isolated(part), output)) for _ in range(slots)]
        with Redis(unix_socket_path=stack.redis_socket) as redis:
            wait_until(f"{slots} workers are registered", lambda: Worker.count(connection=redis) >= slots, 60.0)
        stack.processes["worker"] = [worker.pid for worker in workers]
        yield stack


@contextmanager
def _running_gateways(target_url: str, output: IO[bytes], count: int) -> Iterator[tuple[Stack, ExitStack]]:
    with ExitStack() as parts:
        stack = Stack(parts.enter_context(embedded_redis()))
        with Redis(unix_socket_path=stack.redis_socket) as redis:
            stack.processes["Redis"] = [redis.info("server")["process_id"]]
        started: Sequence[tuple[str, int]] = [
            start_gateway(parts, output, target_url, stack.redis_socket) for _ in range(count)
        ]
        stack.urls = [url for url, _ in started]
        stack.processes["gateway"] = [pid for _, pid in started]
        yield stack, parts


def start_gateway(parts: ExitStack, output: IO[bytes], target_url: str, redis_socket: str) -> tuple[str, int]:
    """Start a gateway that ends with `parts`, and give its URL and process id once it answers."""
    port = free_port()
    part = isolated(gateway_part(target_url, "127.0.0.1", port, redis_socket), **_SETTINGS)
    process = parts.enter_context(running(part, output))
    url = f"http://127.0.0.1:{port}"
    wait_until_answers(process, part.name, f"{url}/gateway_health/live")
    return url, process.pid
