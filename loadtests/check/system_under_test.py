"""The system under test: a running gateway, or a stack that is started for the check and stopped afterwards."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
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
    worker_process,
)
from fast_priority.local.free_ports import free_port
from fast_priority.local.interruption import Interruption
from fast_priority.local.redis_server import embedded_redis
from loadtests.check.drain import StackControl
from loadtests.check.stack_size import StackSize
from loadtests.clients import MockTargetError, wait_until_forwards, wait_until_mock_target

_HOST = "127.0.0.1"
# Enough for a long run: an incomplete log proves nothing.
_LOG_SIZE = "1000000"


@dataclass(frozen=True, slots=True)
class SystemUnderTest:
    """A gateway (or several on the same queues), its mock target, and how many requests it forwards at once."""

    urls: tuple[str, ...]
    target_url: str
    slots: int
    drain: StackControl | None = None
    """Restarts of its processes; None if the check did not start them, or there are no workers."""


@contextmanager
def external_gateway(
    system: SystemUnderTest,
    paths: Mapping[str, str],
    patience_seconds: float,
    interruption: Interruption,
    say: Callable[[str], None],
) -> Iterator[SystemUnderTest]:
    """Wait until a gateway that runs already forwards to the mock target, and yield the system.

    `paths` are those that it is to forward, by the options that name them; `say` gets sentences about the wait.
    Raises ConfigurationError if it does not, at once if what answers is something else.
    """
    try:
        with interruption.may_interrupt():
            wait_until_mock_target(system.target_url, patience_seconds, say)
            for url in system.urls:
                for option, path in paths.items():
                    wait_until_forwards(url, path, option, system.target_url, patience_seconds, say)
    except MockTargetError as error:
        raise ConfigurationError(str(error)) from error
    yield system


@contextmanager
def own_stack(size: StackSize, interruption: Interruption, say: Callable[[str], None]) -> Iterator[SystemUnderTest]:
    """Run a whole stack on loopback while the block lasts. `say` gets a line before it starts.

    Raises ConfigurationError if a process does not start, and passes on one from the block; both with the last lines
    of the processes' output.
    """
    say(f"starting  Redis, mock target, {size.as_text}")
    with tempfile.TemporaryFile() as output:
        try:
            with ExitStack() as parts:
                yield _start(size, interruption, parts, output)
        except ConfigurationError as error:
            raise ConfigurationError("\n".join([str(error), *last_lines(output)])) from error


def _start(size: StackSize, interruption: Interruption, parts: ExitStack, output: IO[bytes]) -> SystemUnderTest:
    def start(part: ChildProcess, **own: str) -> "subprocess.Popen[bytes]":
        return parts.enter_context(running(isolated(part, **own), output))

    def start_workers() -> "list[subprocess.Popen[bytes]]":
        return [
            start(worker_process(processes, slots, redis_socket))
            for slots, processes in size.processes_by_slots.items()
        ]

    redis_socket = parts.enter_context(embedded_redis())
    target_port = free_port()
    target_url = f"http://{_HOST}:{target_port}"
    mock = start(mock_target_process(target_port, "0"), MOCK_TARGET_LOG_SIZE=_LOG_SIZE)
    with interruption.may_interrupt():
        wait_until_answers(mock, "mock target", f"{target_url}/health")
    workers = start_workers()
    ports = [free_port() for _ in range(size.gateways)]
    urls = tuple(f"http://{_HOST}:{port}" for port in ports)
    gateways = [
        start(
            gateway_process(target_url, _HOST, port, redis_socket),
            FAST_PRIORITY_PRIO_PATHS=size.low_path,
            FAST_PRIORITY_SLOTS=str(slots),
        )
        for port, slots in zip(ports, size.slots_of_gateways, strict=True)
    ]
    with interruption.may_interrupt():
        for gateway, url in zip(gateways, urls, strict=True):
            wait_until_answers(gateway, "gateway", f"{url}/gateway_health/ready")
        wait_until_slots([*workers, *gateways], urls[0], size.slots)
    drain = StackControl(start_workers, workers, gateways) if workers else None
    return SystemUnderTest(urls, target_url, size.slots, drain)
