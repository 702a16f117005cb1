"""The stack of a soak: two gateways, two pools of workers, their own Redis, a target, and a proxy on every link."""

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
from tests.chaos.redis_clock import RedisClock, why_no_clock
from tests.chaos.redis_server import RedisServer

GATEWAYS = POOLS = 2
_PROCESSES_OF_A_POOL = 2
_SLOTS_OF_A_PROCESS = 2
WORKERS = POOLS * _PROCESSES_OF_A_POOL
SLOTS = WORKERS * _SLOTS_OF_A_PROCESS
_GATEWAY = {"FAST_PRIORITY_PRIO_BASE_PATHS": "low", "FAST_PRIORITY_TIMEOUT": "30", "FAST_PRIORITY_TTL": "60"}
_LOG_SIZE = "20000"


@dataclass(frozen=True, slots=True)
class Death:
    """A gateway that was killed or told to end, until another stood in its place; unix seconds."""

    gateway: int
    began_at: float
    over_at: float
    killed: bool


class Yard:
    """All processes of a soak. What is ended here is started again by whoever ended it."""

    def __init__(self, folder: Path) -> None:
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
        self.redis_server = RedisServer(self._folder, None if why_no_clock() else RedisClock(self._folder))
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
        self.pools = [self.start_pool() for _ in range(POOLS)]
        wait_until_slots(self.pools, self.urls[0], SLOTS)

    def end_gateway(self, number: int, how: signal.Signals) -> None:
        """End a gateway, and start another in its place when it has gone."""
        began_at = time.time()
        self.gateways[number].send_signal(how)
        self.gateways[number].wait(60)
        self.gateways[number] = self._start_gateway(number)
        self.deaths.append(Death(number, began_at, time.time(), how is signal.SIGKILL))

    def end_pool(self, number: int) -> None:
        """End a pool of workers in an orderly way, and start another in its place."""
        self.pools[number].terminate()
        self.pools[number].wait(60)
        self.pools[number] = self.start_pool()

    def start_pool(self) -> "subprocess.Popen[bytes]":
        """Start a pool of workers."""
        return self._run(worker_process(_PROCESSES_OF_A_POOL, _SLOTS_OF_A_PROCESS, self.workers_to_redis.port))

    def worker_pids(self) -> list[int]:
        """Give the worker processes, in the order of their pools."""
        found = []
        for pool in self.pools:
            with suppress(psutil.NoSuchProcess):
                found += sorted(child.pid for child in psutil.Process(pool.pid).children())
        return found

    def roles(self) -> dict[int, str]:
        """Give what each process is that lives now, by its pid."""
        named = {self.redis_server.pid: "redis", self.mock.pid: "mock target", os.getpid(): "this program"}
        named |= {gateway.pid: f"gateway {number}" for number, gateway in enumerate(self.gateways)}
        return named | dict.fromkeys(self.worker_pids(), "worker")

    def heal(self) -> None:
        """Let all links pass, Redis live and have memory, and nothing be frozen."""
        for link in (self.gateways_to_redis, self.workers_to_redis, self.to_target):
            link.heal()
        if not self.redis_server.runs:
            self.redis_server.start()
        self.redis.config_set("maxmemory", 0)

    def _start_gateway(self, number: int) -> "subprocess.Popen[bytes]":
        target, redis_port = f"http://127.0.0.1:{self.to_target.port}", self.gateways_to_redis.port
        process = self._run(gateway_process(target, "127.0.0.1", self.ports[number], redis_port, **_GATEWAY))
        wait_until_answers(process, f"gateway {number}", f"{self.urls[number]}/gateway_health/live")
        return process

    def _run(self, part: ChildProcess) -> "subprocess.Popen[bytes]":
        self._number += 1
        log = self._parts.enter_context((self._folder / f"{self._number:03d} {part.name}.log").open("wb"))
        return self._parts.enter_context(running(isolated(part), output=log))
