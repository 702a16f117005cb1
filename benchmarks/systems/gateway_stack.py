"""Our own stack: gateways, their Redis, and workers, ours or rq's stock ones."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from redis import Redis
from rq import Worker

from benchmarks.support import fetch_json
from benchmarks.systems.paths import PASS_THROUGH_PREFIX, QUEUE_PREFIX, all_paths
from fast_priority.local.child_processes import (
    ChildProcess,
    gateway_process,
    isolated,
    running,
    running_together,
    wait_until,
    wait_until_answers,
    wait_until_slots,
    with_sockets,
    worker_process,
)
from fast_priority.local.free_ports import free_port
from fast_priority.local.redis_server import embedded_redis
from fast_priority.local.shape import divided
from fast_priority.server import shared_sockets
from fast_priority.settings import Settings

EVENTS_PASSED_THROUGH = f"{PASS_THROUGH_PREFIX}/events"
"""The path of event streams that skip the queue."""
_COMPLETIONS_PASSED_THROUGH = f"{PASS_THROUGH_PREFIX}/v1/chat/completions"
_IDLE_WITHIN_SECONDS = _REGISTERED_WITHIN_SECONDS = 60.0
SETTINGS = {
    "FAST_PRIORITY_HIGH_PRIO_PATHS": "listed",
    "FAST_PRIORITY_PRIO_BASE_PATHS": f"{QUEUE_PREFIX}/high/".lstrip("/"),
    "FAST_PRIORITY_PASS_THROUGH": ",".join(
        path.lstrip("/")
        for path in (
            *(path for path, _ in all_paths(PASS_THROUGH_PREFIX)),
            EVENTS_PASSED_THROUGH,
            _COMPLETIONS_PASSED_THROUGH,
        )
    ),
    # No request is rejected: the load of each measurement decides how many wait.
    "FAST_PRIORITY_MAX_QUEUED_HIGH": "50000",
    "FAST_PRIORITY_MAX_QUEUED_LOW": "50000",
}
"""Settings of a gateway that forwards the paths of `paths`."""


@dataclass
class GatewayStack:
    """A running stack: its Redis, the URLs of its gateways, and process ids by name."""

    redis_socket: str
    urls: list[str] = field(default_factory=list)
    processes: dict[str, list[int]] = field(default_factory=dict)

    def waiting(self) -> int | None:
        """Return how many requests wait; None if the gateway does not know. Raises OSError."""
        queue = self._health()["queue"]
        return None if None in queue.values() else sum(queue.values())

    def in_flight(self) -> int | None:
        """Return how many slots are in use; None if the gateway does not know. Raises OSError."""
        slots: int | None = self._health()["in_flight"]
        return slots

    def wait_until_idle(self) -> None:
        """Return once no request waits and no slot is in use. Raises TimeoutError after 60 s."""
        wait_until("no request waits or is in flight", self._is_idle, _IDLE_WITHIN_SECONDS)

    def _is_idle(self) -> bool:
        return self.waiting() == 0 and not self.in_flight()

    def _health(self) -> dict[str, Any]:
        return fetch_json(f"{self.urls[0]}/gateway_health")


@contextmanager
def running_gateway_stack(
    target_url: str,
    output: IO[bytes],
    slots: int,
    *,
    workers: int = 1,
    gateways: int = 1,
    settings: Mapping[str, str] = SETTINGS,
) -> Iterator[GatewayStack]:
    """Run a stack whose worker processes have this number of slots together; it is ready when the block begins.

    Without slots it has no worker. Raises ConfigurationError or TimeoutError if a process does not start.
    """
    with _running_gateways(target_url, output, gateways, settings) as (stack, processes):
        if slots:
            part = worker_process(workers, slots // workers, stack.redis_socket)
            worker = processes.enter_context(running(isolated(part), output))
            wait_until_slots([worker], stack.urls[0], slots)
            stack.processes["worker"] = [worker.pid]
        yield stack


@contextmanager
def running_gateways_with_slots(
    target_url: str,
    output: IO[bytes],
    slots: int,
    *,
    gateways: int = 1,
    settings: Mapping[str, str] = SETTINGS,
) -> Iterator[GatewayStack]:
    """Run gateway processes that have this number of slots together, and no worker.

    Several of them share a port, as those of `standalone --processes`. Raises ConfigurationError or TimeoutError if a
    process does not start.
    """
    port = free_port()
    with _running_redis() as (stack, processes):
        own_sockets = processes.enter_context(shared_sockets(Settings.load(host="127.0.0.1", port=port), gateways))
        parts = [
            with_sockets(
                gateway_process(target_url, "127.0.0.1", port, stack.redis_socket, FAST_PRIORITY_SLOTS=str(own_slots)),
                [one.fileno() for one in sockets],
            )
            for own_slots, sockets in zip(divided(slots, gateways), own_sockets, strict=True)
        ]
        started = processes.enter_context(running_together([isolated(part, **settings) for part in parts], output))
        stack.urls = [f"http://127.0.0.1:{port}"]
        stack.processes["gateway"] = [process.pid for process in started]
        wait_until_answers(started[0], parts[0].name, f"{stack.urls[0]}/gateway_health/live")
        wait_until_slots(started, stack.urls[0], slots)
        yield stack


@contextmanager
def running_stack_of_stock_workers(target_url: str, output: IO[bytes], slots: int) -> Iterator[GatewayStack]:
    """Run a stack with one stock `rq worker high low` for each slot, started as rq's documentation does."""
    with _running_gateways(target_url, output, 1, SETTINGS) as (stack, processes):
        url = f"unix://{stack.redis_socket}"
        part = ChildProcess("rq worker", ("-m", "rq.cli", "worker", "-q", "-u", url, "high", "low"), {})
        workers = [processes.enter_context(running(isolated(part), output)) for _ in range(slots)]
        with Redis(unix_socket_path=stack.redis_socket) as redis:
            wait_until(
                f"{slots} workers are registered",
                lambda: Worker.count(connection=redis) >= slots,
                _REGISTERED_WITHIN_SECONDS,
            )
        stack.processes["worker"] = [worker.pid for worker in workers]
        yield stack


@contextmanager
def _running_gateways(
    target_url: str, output: IO[bytes], count: int, settings: Mapping[str, str]
) -> Iterator[tuple[GatewayStack, ExitStack]]:
    with _running_redis() as (stack, processes):
        started = [start_gateway(processes, output, target_url, stack.redis_socket, settings) for _ in range(count)]
        stack.urls = [url for url, _ in started]
        stack.processes["gateway"] = [pid for _, pid in started]
        yield stack, processes


@contextmanager
def _running_redis() -> Iterator[tuple[GatewayStack, ExitStack]]:
    with ExitStack() as processes:
        stack = GatewayStack(processes.enter_context(embedded_redis()))
        with Redis(unix_socket_path=stack.redis_socket) as redis:
            stack.processes["Redis"] = [redis.info("server")["process_id"]]
        yield stack, processes


def start_gateway(
    processes: ExitStack,
    output: IO[bytes],
    target_url: str,
    redis_socket: str,
    settings: Mapping[str, str] = SETTINGS,
) -> tuple[str, int]:
    """Start a gateway that ends with `processes`; return its URL and process id when it answers."""
    port = free_port()
    part = isolated(gateway_process(target_url, "127.0.0.1", port, redis_socket), **settings)
    process = processes.enter_context(running(part, output))
    url = f"http://127.0.0.1:{port}"
    wait_until_answers(process, part.name, f"{url}/gateway_health/live")
    return url, process.pid
