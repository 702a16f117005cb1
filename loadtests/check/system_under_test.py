"""What is judged: a gateway that runs already, or a whole stack started for the purpose and gone afterwards."""

import subprocess
import tempfile
from collections.abc import Iterator
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
from loadtests.check.drain import Drain
from loadtests.clients import MockError, wait_for_answer

_HOST = "127.0.0.1"
# The whole of a long run: a log with holes proves nothing.
_LOG_SIZE = "1000000"


@dataclass(frozen=True, slots=True)
class Subject:
    """A gateway (or several on the same queues), the mock target behind it, and how many requests it lets through."""

    urls: tuple[str, ...]
    target_url: str
    slots: int
    drain: Drain | None = None
    """How to restart its parts in an orderly way; None where the parts are somebody else's."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a stack of one's own is."""

    slots: int = 4
    worker_processes: int = 1
    gateways: int = 1
    high_path: str = "/high"
    low_path: str = "/low"

    def __post_init__(self) -> None:
        for name, value in (("slots", self.slots), ("workers", self.worker_processes), ("gateways", self.gateways)):
            if value < 1:
                raise ConfigurationError(f"--{name} is {value}; give 1 or more")
        if self.high_path.strip("/") == self.low_path.strip("/"):
            raise ConfigurationError(f"--high-path and --low-path are both {self.low_path}: give two that differ")
        if self.slots < self.worker_processes:
            raise ConfigurationError(
                f"--slots {self.slots} is less than --workers {self.worker_processes}: each process has a slot at least"
            )

    @property
    def processes_by_slots(self) -> dict[int, int]:
        """How many worker processes have so many slots each: as equally as it goes."""
        fewest, rest = divmod(self.slots, self.worker_processes)
        return {fewest + 1: rest, fewest: self.worker_processes - rest} if rest else {fewest: self.worker_processes}


@contextmanager
def running_gateway(
    subject: Subject, path: str, patience_seconds: float, interruption: Interruption
) -> Iterator[Subject]:
    """Take a gateway that somebody else runs, once it and the mock target answer.

    `path` is one that goes through the gateway to the target. Raises ConfigurationError if either stays silent.
    """
    try:
        with interruption.may_interrupt():
            wait_for_answer(f"{subject.target_url.rstrip('/')}/health", patience_seconds)
            for url in subject.urls:
                wait_for_answer(url.rstrip("/") + path, patience_seconds)
    except MockError as error:
        raise ConfigurationError(str(error)) from error
    yield subject


@contextmanager
def own_stack(shape: Shape, interruption: Interruption) -> Iterator[Subject]:
    """Have a whole stack on loopback while the block lasts.

    Raises ConfigurationError if a part does not start, and hands on one from the block; both with the last lines that
    the parts have written.
    """
    with tempfile.TemporaryFile() as output:
        try:
            with ExitStack() as parts:
                yield _start(shape, interruption, parts, output)
        except ConfigurationError as error:
            raise ConfigurationError("\n".join([str(error), *last_lines(output)])) from error


def _start(shape: Shape, interruption: Interruption, parts: ExitStack, output: IO[bytes]) -> Subject:
    def start(part: Part, **own: str) -> "subprocess.Popen[bytes]":
        return parts.enter_context(running(isolated(part, **own), output))

    def start_workers() -> "list[subprocess.Popen[bytes]]":
        return [
            start(worker_part(processes, slots, redis_socket)) for slots, processes in shape.processes_by_slots.items()
        ]

    redis_socket = parts.enter_context(embedded_redis())
    target_port = free_port()
    target_url = f"http://{_HOST}:{target_port}"
    mock = start(mock_target_part(target_port, "0"), MOCK_TARGET_LOG_SIZE=_LOG_SIZE)
    with interruption.may_interrupt():
        wait_until_answers(mock, "mock target", f"{target_url}/health")
    workers = start_workers()
    ports = [free_port() for _ in range(shape.gateways)]
    urls = tuple(f"http://{_HOST}:{port}" for port in ports)
    gateways = [
        start(gateway_part(target_url, _HOST, port, redis_socket), FAST_PRIORITY_PRIO_PATHS=shape.low_path)
        for port in ports
    ]
    with interruption.may_interrupt():
        for gateway, url in zip(gateways, urls, strict=True):
            wait_until_answers(gateway, "gateway", f"{url}/gateway_health/ready")
        wait_until_slots(workers, urls[0], shape.slots)
    return Subject(urls, target_url, shape.slots, drain=Drain(start_workers, workers, gateways))
