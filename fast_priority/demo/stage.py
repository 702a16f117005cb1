"""The processes of the demo: a mock target, a Redis, a gateway and workers, all on this machine and gone afterwards."""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import IO

from fast_priority.demo.plan import Plan
from fast_priority.embedded_redis import embedded_redis, free_port
from fast_priority.errors import ConfigurationError
from fast_priority.interruption import Interruption
from fast_priority.settings import PREFIX
from fast_priority.stack import (
    Part,
    gateway_part,
    mock_target_part,
    running,
    unset_settings,
    wait_until,
    wait_until_answers,
    worker_part,
)

LOW_PATHS = "low/"
"""Requests for paths that start like this are low; all others are high."""

_HOST = "127.0.0.1"
_STOP_SECONDS = 6.0  # workers take two or three, on a busy machine more
_LOG_SECONDS = 3.0
_LAST_LINES = 15


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
            output.seek(0)
            for line in output.read().decode(errors="replace").splitlines()[-_LAST_LINES:]:
                sys.stderr.write(f"  | {line}\n")
            raise


def _start(plan: Plan, interruption: Interruption, parts: ExitStack, output: IO[bytes]) -> Stage:
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(part: Part, own: dict[str, str]) -> None:
        part = replace(part, environment={**unset_settings(), **own, **part.environment})
        processes[part.name] = parts.enter_context(running(part, output, _STOP_SECONDS))

    def wait_for(name: str, url: str) -> None:
        with interruption.may_interrupt():
            wait_until_answers(processes[name], name, url)

    redis_port = parts.enter_context(embedded_redis())
    target, gateway = (f"http://{_HOST}:{port}" for port in (free_port(), free_port()))
    # The log need not last longer than until it is read again; a long one would be slow to read.
    log_size = int(_LOG_SECONDS * plan.capacity_per_second) + 4 * plan.burst
    mock_settings = {"MOCK_TARGET_HOST": _HOST, "MOCK_TARGET_LOG_SIZE": str(log_size)}
    start(mock_target_part(_port(target), plan.latency), mock_settings)
    worker_processes = 2 if plan.slots % 2 == 0 else 1
    start(worker_part(worker_processes, plan.slots // worker_processes, redis_port), {})
    start(gateway_part(target, _HOST, _port(gateway), redis_port), {f"{PREFIX}PRIO_BASE_PATHS": LOW_PATHS})
    wait_for("mock target", f"{target}/health")
    wait_for("gateway", f"{gateway}/gateway_health/ready")
    stage = Stage(gateway, target, processes)
    with interruption.may_interrupt():
        _wait_for_all_slots(stage, plan.slots)
    return stage


def _wait_for_all_slots(stage: Stage, slots: int) -> None:
    def all_there() -> bool:
        stage.check()
        # No proxy variable may lead a look at this machine elsewhere.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{stage.gateway_url}/gateway_health", timeout=5) as response:
            return bool(json.load(response)["slots"] == slots)

    try:
        wait_until(f"the workers have {slots} slots", all_there)
    except (TimeoutError, OSError) as error:
        raise ConfigurationError(f"the workers did not start: {error}") from None


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
