"""The stack of a soak: two gateways, the slots, their own Redis, a target, and a proxy on every link."""

import enum
import os
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
from redis import Redis

from fast_priority.local.child_processes import (
    ChildProcess,
    gateway_process,
    isolated,
    running,
    wait_until_answers,
    wait_until_slots,
    worker_process,
)
from fast_priority.local.free_ports import free_port
from tests.chaos.proxy import Proxies
from tests.chaos.redis_clock import RedisClock, clock_unavailable_reason
from tests.chaos.redis_server import RedisServer

GATEWAYS = 2
SLOTS = 8
_PROCESSES_OF_A_POOL = 2
_SLOTS_OF_A_PROCESS = 2
_GATEWAY = {"FAST_PRIORITY_PRIO_BASE_PATHS": "low", "FAST_PRIORITY_TIMEOUT": "30", "FAST_PRIORITY_TTL": "60"}
_LOG_SIZE = "20000"
REGISTRIES = {b"rq:queues", b"rq:workers", b"rq:workers:high", b"rq:workers:low"}
"""Keys that never expire."""


class Shape(enum.Enum):
    """Where the slots are. In each shape there are as many."""

    WORKERS = "workers"
    """Two pools of two worker processes with two slots each."""
    SLOTS = "slots"
    """Four slots in each gateway."""
    MIXED = "mixed"
    """One pool, and two slots in each gateway."""

    @property
    def pools(self) -> int:
        """How many pools of workers there are."""
        return {Shape.WORKERS: 2, Shape.SLOTS: 0, Shape.MIXED: 1}[self]

    @property
    def slots_of_a_gateway(self) -> int:
        """How many slots each gateway has."""
        return (SLOTS - self.pools * _PROCESSES_OF_A_POOL * _SLOTS_OF_A_PROCESS) // GATEWAYS

    @property
    def keys_at_rest(self) -> int:
        """How many keys Redis has when nothing happens.

        rq's registries, a heartbeat and a processing list of each gateway and worker process, the record of each
        gateway with slots, the deployment's name, the note that Redis runs, the levels in force.
        """
        processes = GATEWAYS + self.pools * _PROCESSES_OF_A_POOL
        return len(REGISTRIES) + 2 * processes + (GATEWAYS if self.slots_of_a_gateway else 0) + 3


@dataclass(frozen=True, slots=True)
class Death:
    """A gateway that was killed or stopped, until its replacement ran; unix seconds."""

    gateway: int
    began_at: float
    over_at: float
    killed: bool


class SoakStack:
    """All processes of a soak. A fault that ends a process also restarts it."""

    def __init__(self, folder: Path, shape: Shape = Shape.WORKERS) -> None:
        self.shape = shape
        self.deaths: list[Death] = []
        self._folder = folder
        self._parts = ExitStack()
        self._number = 0

    def __enter__(self) -> Self:
        try:
            self._start_all()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def _start_all(self) -> None:
        proxies = self._parts.enter_context(Proxies())
        self.redis_server = RedisServer(self._folder, None if clock_unavailable_reason() else RedisClock(self._folder))
        self._parts.callback(self.redis_server.kill)
        self.redis_server.start()
        self.redis = self._parts.enter_context(Redis(port=self.redis_server.port))
        mock_port = free_port()
        self.mock_url = f"http://127.0.0.1:{mock_port}"
        mock = ChildProcess("mock", ("-m", "mock_target", "--port", str(mock_port), "--log-size", _LOG_SIZE), {})
        self.mock = self._run(mock)
        wait_until_answers(self.mock, "mock target", f"{self.mock_url}/health")
        self.gateways_to_redis = proxies.before(self.redis_server.port)
        self.workers_to_redis = proxies.before(self.redis_server.port)
        self.to_target = proxies.before(mock_port)
        self.ports = [free_port() for _ in range(GATEWAYS)]
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.gateways = [self._start_gateway(number) for number in range(GATEWAYS)]
        self.pools = [self.start_pool() for _ in range(self.shape.pools)]
        wait_until_slots(self.pools, self.urls[0], SLOTS)

    def end_gateway(self, number: int, how: signal.Signals) -> None:
        """End a gateway with this signal, and start another in its place."""
        began_at = time.time()
        self.gateways[number].send_signal(how)
        self.gateways[number].wait(60)
        self.gateways[number] = self._start_gateway(number)
        self.deaths.append(Death(number, began_at, time.time(), how is signal.SIGKILL))

    def end_pool(self, number: int) -> None:
        """Stop a pool of workers gracefully, and start another in its place."""
        self.pools[number].terminate()
        self.pools[number].wait(60)
        self.pools[number] = self.start_pool()

    def start_pool(self) -> "subprocess.Popen[bytes]":
        """Start a pool of workers."""
        return self._run(worker_process(_PROCESSES_OF_A_POOL, _SLOTS_OF_A_PROCESS, self.workers_to_redis.port))

    def worker_pids(self) -> list[int]:
        """Return the pids of the worker processes, in the order of their pools."""
        found = []
        for pool in self.pools:
            with suppress(psutil.NoSuchProcess):
                found += sorted(child.pid for child in psutil.Process(pool.pid).children())
        return found

    def roles(self) -> dict[int, str]:
        """Return the role of each running process, by pid."""
        named = {self.redis_server.pid: "redis", self.mock.pid: "mock target", os.getpid(): "this program"}
        named |= {gateway.pid: f"gateway {number}" for number, gateway in enumerate(self.gateways)}
        return named | dict.fromkeys(self.worker_pids(), "worker")

    def heal(self) -> None:
        """Remove all faults of the links, and ensure that Redis runs and has memory."""
        for link in (self.gateways_to_redis, self.workers_to_redis, self.to_target):
            link.heal()
        if not self.redis_server.runs:
            self.redis_server.start()
        self.redis.config_set("maxmemory", 0)

    def _start_gateway(self, number: int) -> "subprocess.Popen[bytes]":
        target, redis_port = f"http://127.0.0.1:{self.to_target.port}", self.gateways_to_redis.port
        settings = {**_GATEWAY, "FAST_PRIORITY_SLOTS": str(self.shape.slots_of_a_gateway)}
        process = self._run(gateway_process(target, "127.0.0.1", self.ports[number], redis_port, **settings))
        wait_until_answers(process, f"gateway {number}", f"{self.urls[number]}/gateway_health/live")
        return process

    def _run(self, part: ChildProcess) -> "subprocess.Popen[bytes]":
        self._number += 1
        log = self._parts.enter_context((self._folder / f"{self._number:03d} {part.name}.log").open("wb"))
        return self._parts.enter_context(running(isolated(part), output=log))
