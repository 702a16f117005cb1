"""The processes of the demo: a mock target, a Redis and a gateway with slots, on this machine, stopped afterwards."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import (
    ChildProcess,
    gateway_process,
    isolated,
    last_lines,
    mock_target_process,
    running,
    wait_until_answers,
    wait_until_slots,
)
from fast_priority.local.free_ports import free_port
from fast_priority.local.interruption import Interruption
from fast_priority.local.redis_server import embedded_redis
from loadtests.demo.traffic_plan import TrafficPlan

LOW_PATHS = "low/"
"""Requests for paths with this prefix are low; all others are high."""

_HOST = "127.0.0.1"
_STOP_SECONDS = 6.0  # a gateway takes one, more on a busy machine
_LOG_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class DemoStack:
    """The URLs of gateway and target, and the processes by name."""

    gateway_url: str
    target_url: str
    processes: dict[str, "subprocess.Popen[bytes]"]

    def check(self) -> None:
        """Raise ConfigurationError if a process has ended by itself."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise ConfigurationError(f"the {name} ended before the demo did, with exit status {process.returncode}")


@contextmanager
def running_stack(
    plan: TrafficPlan, interruption: Interruption, print_line: Callable[[str], None]
) -> Iterator[DemoStack]:
    """Run everything while the block lasts. If a process fails, the output of all is written to stderr."""
    print_line("Starting a Redis, a gateway and a target ...")
    with tempfile.TemporaryFile() as output:
        try:
            with ExitStack() as parts:
                try:
                    yield _start(plan, interruption, parts, output)
                finally:
                    print_line("Stopping them ...")
        except ConfigurationError:
            for line in last_lines(output):
                sys.stderr.write(f"{line}\n")
            raise


def _start(plan: TrafficPlan, interruption: Interruption, parts: ExitStack, output: IO[bytes]) -> DemoStack:
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(part: ChildProcess, **own: str) -> None:
        processes[part.name] = parts.enter_context(running(isolated(part, **own), output, _STOP_SECONDS))

    def wait_for(name: str, url: str) -> None:
        with interruption.may_interrupt():
            wait_until_answers(processes[name], name, url)

    redis_socket = parts.enter_context(embedded_redis())
    target, gateway = (f"http://{_HOST}:{port}" for port in (free_port(), free_port()))
    # The log only has to last until it is read next; a long one would be slow to read.
    log_size = int(_LOG_SECONDS * plan.capacity_per_second) + 4 * plan.burst
    mock = mock_target_process(_port(target), plan.latency)
    start(mock, MOCK_TARGET_HOST=_HOST, MOCK_TARGET_LOG_SIZE=str(log_size))
    start(
        gateway_process(target, _HOST, _port(gateway), redis_socket),
        FAST_PRIORITY_PRIO_BASE_PATHS=LOW_PATHS,
        FAST_PRIORITY_SLOTS=str(plan.slots),
    )
    wait_for("mock target", f"{target}/health")
    wait_for("gateway", f"{gateway}/gateway_health/ready")
    stack = DemoStack(gateway, target, processes)
    with interruption.may_interrupt():
        wait_until_slots([processes["gateway"]], gateway, plan.slots)
    return stack


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
