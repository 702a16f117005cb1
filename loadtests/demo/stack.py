"""The processes of the demo: a mock target, a Redis, a gateway and workers, all on this machine and gone afterwards."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from fast_priority.embedded_redis import embedded_redis
from fast_priority.errors import ConfigurationError
from fast_priority.free_ports import free_port
from fast_priority.interruption import Interruption
from fast_priority.stack import (
    Part,
    gateway_part,
    isolated,
    last_lines,
    mock_target_part,
    running,
    wait_until_answers,
    wait_until_slots,
    worker_part,
)
from loadtests.demo.traffic_plan import Plan

LOW_PATHS = "low/"
"""Requests for paths that start like this are low; all others are high."""

_HOST = "127.0.0.1"
_STOP_SECONDS = 6.0  # workers take two or three, on a busy machine more
_LOG_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the parts listen, and their processes by name."""

    gateway_url: str
    target_url: str
    processes: dict[str, "subprocess.Popen[bytes]"]

    def check(self) -> None:
        """Raise ConfigurationError if a part has ended by itself."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise ConfigurationError(f"the {name} ended before the demo did, with exit status {process.returncode}")


@contextmanager
def staged(plan: Plan, interruption: Interruption, tell: Callable[[str], None]) -> Iterator[Stage]:
    """Have everything running while the block lasts. If a part fails, what all have written goes to stderr."""
    tell("Starting a Redis, a gateway, workers and a target ...")
    with tempfile.TemporaryFile() as output:
        try:
            with ExitStack() as parts:
                try:
                    yield _start(plan, interruption, parts, output)
                finally:
                    tell("Stopping them ...")
        except ConfigurationError:
            for line in last_lines(output):
                sys.stderr.write(f"{line}\n")
            raise


def _start(plan: Plan, interruption: Interruption, parts: ExitStack, output: IO[bytes]) -> Stage:
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(part: Part, **own: str) -> None:
        processes[part.name] = parts.enter_context(running(isolated(part, **own), output, _STOP_SECONDS))

    def wait_for(name: str, url: str) -> None:
        with interruption.may_interrupt():
            wait_until_answers(processes[name], name, url)

    redis_socket = parts.enter_context(embedded_redis())
    target, gateway = (f"http://{_HOST}:{port}" for port in (free_port(), free_port()))
    # The log need not last longer than until it is read again; a long one would be slow to read.
    log_size = int(_LOG_SECONDS * plan.capacity_per_second) + 4 * plan.burst
    mock = mock_target_part(_port(target), plan.latency)
    start(mock, MOCK_TARGET_HOST=_HOST, MOCK_TARGET_LOG_SIZE=str(log_size))
    worker_processes = 2 if plan.slots % 2 == 0 else 1
    start(worker_part(worker_processes, plan.slots // worker_processes, redis_socket))
    start(gateway_part(target, _HOST, _port(gateway), redis_socket), FAST_PRIORITY_PRIO_BASE_PATHS=LOW_PATHS)
    wait_for("mock target", f"{target}/health")
    wait_for("gateway", f"{gateway}/gateway_health/ready")
    stage = Stage(gateway, target, processes)
    with interruption.may_interrupt():
        wait_until_slots([processes["workers"]], gateway, plan.slots)
    return stage


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
