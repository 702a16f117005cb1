"""A stack that may be tormented: every link goes through a proxy, every process may be killed or frozen, and be mended.

One rig serves many scenarios: `mend` brings it back to where it began, starting again only what is broken.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from fast_priority.stack import Part, stop, worker_part
from tests.chaos.asking import Asked
from tests.chaos.proxy import Proxies
from tests.chaos.redis_server import RedisServer
from tests.harness import Stack, running_stack, wait_until

SLOTS = 6
REGISTERS = {"rq:queues", "rq:workers", "rq:workers:high", "rq:workers:low"}


class Rig:
    """Gateway, one worker process with six slots, mock target and Redis, with a proxy on every link between them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = ExitStack()
        self._asked: list[Asked] = []
        self._gateway_environment: dict[str, str] = {}
        self.pools: list[subprocess.Popen[bytes]] = []
        self._stock: set[int] = set()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._parts.close()
            raise
        return self

    def _start(self) -> None:
        proxies = self._parts.enter_context(Proxies())
        self.redis_server = RedisServer(self._folder)
        self._parts.callback(self.redis_server.kill)
        self.redis_server.start()
        self.stack: Stack = self._parts.enter_context(running_stack(self.redis_server.port, self._folder))
        self.gateway_to_redis = proxies.before(self.redis_server.port)
        self.worker_to_redis = proxies.before(self.redis_server.port)
        self.to_target = proxies.before(self.stack.mock_port)
        self.links = (self.gateway_to_redis, self.worker_to_redis, self.to_target)
        self.stack.mock_url = f"http://127.0.0.1:{self.to_target.port}"
        self.stack.start_mock()

    def __exit__(self, *_: object) -> None:
        _signal_all(self.worker_pids(), signal.SIGCONT)  # what is frozen does not hear that it is to end
        self._parts.close()

    # What it is made of.

    def mend(self, **gateway_environment: str) -> None:
        """Bring everything back to how it was at the beginning; the gateway has these settings more."""
        for link in self.links:
            link.heal()
        if not self.redis_server.runs:
            self.redis_server.start()
        os.kill(self.redis_server.pid, signal.SIGCONT)
        self.stack.redis.config_set("maxmemory", 0)
        _signal_all(self.worker_pids(), signal.SIGCONT)
        for asked in self._asked:
            asked.leave()
        self._asked.clear()
        self.stack.mock.post("/__admin/reset")
        self.target_takes(0)
        self.have_gateway(**gateway_environment)
        self.have_workers()
        wait_until("nothing is under way", lambda: self.in_flight() == 0 and self.queued() == 0)

    def have_gateway(self, **environment: str) -> None:
        """Have a gateway with these settings; one that has them already stays."""
        running = self.stack.processes.get("gateway")
        if running is not None and running.poll() is None:
            if environment == self._gateway_environment:
                return
            stop(running)
        self.start_gateway(**environment)

    def start_gateway(self, **environment: str) -> None:
        """Start the gateway, in the place of the one that ended."""
        self._gateway_environment = environment
        given = {
            "FAST_PRIORITY_REDIS_PORT": str(self.gateway_to_redis.port),
            "FAST_PRIORITY_POLL_INTERVAL": "0.5",
            "FAST_PRIORITY_TIMEOUT": "30",
        }
        self.stack.start_gateway(**{**given, **environment})

    def have_workers(self) -> None:
        """Have one pool of workers of ours, and no other worker."""
        kept = [pool for pool in self.pools if pool.poll() is None][:1]
        for pool in self.pools:
            if pool not in kept:
                stop(pool)
        self.pools = kept
        if not kept:
            self.start_workers()

    def start_workers(self, slots: int = SLOTS) -> "subprocess.Popen[bytes]":
        """Start one more pool, of one worker process."""
        return self._start_workers(worker_part(1, slots, self.worker_to_redis.port))

    def start_stock_worker(self) -> "subprocess.Popen[bytes]":
        """Start `rq worker high low`."""
        url = f"redis://127.0.0.1:{self.worker_to_redis.port}"
        worker = self._start_workers(Part("stock", ("-m", "rq.cli", "worker", "high", "low"), {"RQ_REDIS_URL": url}))
        self._stock.add(worker.pid)
        return worker

    def end_workers(self) -> None:
        """End all workers in an orderly way."""
        for pool in self.pools:
            stop(pool)
        self.pools = []

    def _start_workers(self, part: Part) -> "subprocess.Popen[bytes]":
        known = set(self.stack.redis.keys("rq:worker:*"))
        pool = self.stack.start(part)
        self.pools.append(pool)
        wait_until("the workers are there", lambda: bool(set(self.stack.redis.keys("rq:worker:*")) - known))
        return pool

    @property
    def gateway(self) -> "subprocess.Popen[bytes]":
        """The gateway that was started last."""
        return self.stack.processes["gateway"]

    def worker_pids(self) -> list[int]:
        """Give the processes that serve requests: a pool's, not the pool; of rq's own workers, all they consist of."""
        pools = [psutil.Process(pool.pid) for pool in self.pools if pool.poll() is None]
        of_ours = [worker.pid for pool in pools for worker in pool.children() if pool.pid not in self._stock]
        return of_ours + [
            process.pid for pool in pools if pool.pid in self._stock for process in (pool, *pool.children())
        ]

    # What is done to it.

    def kill_worker(self) -> None:
        """Kill the worker process of each pool, which starts another in its place."""
        _signal_all(self.worker_pids(), signal.SIGKILL)

    def kill_stock_workers(self) -> None:
        """Kill rq's workers, with the processes that they have forked."""
        self.kill_worker()
        for worker in self.pools:
            worker.wait()
        self.pools = []

    @contextmanager
    def workers_frozen(self, *, while_they_wait: bool = False) -> Iterator[None]:
        """The workers there are now do nothing at all while the block lasts.

        What they had asked Redis for before has been carried out when it begins, unless `while_they_wait`.
        """
        pids = self.worker_pids()
        _signal_all(pids, signal.SIGSTOP)
        try:
            if not while_they_wait:
                wait_until("Redis has given them nothing", lambda: not self._some_wait_for_work())
            yield
        finally:
            _signal_all(pids, signal.SIGCONT)

    @contextmanager
    def workers_suspended(self) -> Iterator[None]:
        """No worker takes anything, as after `rq suspend`, while the block lasts."""
        self.stack.redis.set("rq:suspended", "1")
        try:
            yield
        finally:
            self.stack.redis.delete("rq:suspended")

    def _some_wait_for_work(self) -> bool:
        return any(client["cmd"] == "blpop" and "b" in client["flags"] for client in self.stack.redis.client_list())

    def target_takes(self, seconds: float) -> None:
        """Let requests that reach the target from now on take so long there."""
        self.stack.mock.patch("/__admin/settings", json={"latency": seconds}).raise_for_status()

    # What clients do, and what can be seen.

    def ask(self, method: str, target: str = "/high", body: bytes | None = None) -> Asked:
        """Send a request, and go on."""
        body = b"body" if body is None and method in ("POST", "PUT", "PATCH") else body
        return self._keep(Asked(self.stack.gateway_port, method, target, body))

    def ask_each(self, methods: tuple[str, ...], target: str = "/high") -> list[Asked]:
        """Send one request of each method."""
        return [self.ask(method, target) for method in methods]

    def shake_hands(self, target: str = "/high") -> Asked:
        """Ask for a WebSocket where the target has none: it answers with a whole response, as to a GET."""
        fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        return self._keep(Asked(self.stack.gateway_port, "GET", target, None, fields))

    def upload(self, pieces: Callable[[], Iterator[bytes]]) -> Asked:
        """Send a request whose body comes bit by bit, of unknown length."""
        return self._keep(Asked(self.stack.gateway_port, "POST", "/high", pieces()))

    def _keep(self, asked: Asked) -> Asked:
        self._asked.append(asked)
        return asked

    def until_at_target(self, *asked: Asked) -> None:
        """Return once all of these have reached the target."""
        wait_until("they are at the target", lambda: all(self.attempts(one) > 0 for one in asked))

    def until_queued(self, count: int) -> None:
        """Return once so many wait."""
        wait_until(f"{count} are queued", lambda: self.queued() == count)

    def arrivals_of(self, asked: Asked) -> list[dict[str, Any]]:
        """Give the times that a request has reached the target."""
        return [row for row in self.stack.arrivals() if row["request_id"] == asked.request_id]

    def attempts(self, asked: Asked) -> int:
        """Count the times that a request has reached the target."""
        return len(self.arrivals_of(asked))

    def in_flight(self) -> int:
        """Count the requests that are at the target now."""
        return self.stack.in_flight()

    def queued(self) -> int:
        """Count the ids on both queues, by Redis itself."""
        return sum(int(self.stack.redis.llen(f"rq:queue:{name}")) for name in ("high", "low"))

    def until_seconds_have_passed(self, seconds: float) -> None:
        """Return once a fault has lasted so long: its length is what the scenario is about."""
        until = time.monotonic() + seconds
        wait_until(f"{seconds:g} s have passed", lambda: time.monotonic() >= until, 2 * seconds + 10)

    def started(self) -> int:
        """Count the requests that a worker has taken and not settled, by Redis itself."""
        jobs: list[bytes] = self.stack.redis.keys("rq:job:*")
        return sum(self.stack.redis.hget(key.decode(), "status") == b"started" for key in jobs)

    # What every scenario ends with.

    def until_recovered(self) -> None:
        """Return once nothing of what was is left and every slot carries again. Raises TimeoutError, saying what."""
        wait_until("nothing is at the target", lambda: self.in_flight() == 0)
        wait_until("nothing is queued", lambda: self.queued() == 0)
        wait_until("no request is left in Redis", lambda: not self.stack.redis.keys("rq:job:*"))
        wait_until("every key has an end", lambda: self.stack.keys_without_end() <= REGISTERS)
        self.stack.forget_arrivals()
        asked: list[Asked] = []
        while len(asked) < SLOTS:  # one after the other, so that the shortest queue takes them
            asked.append(self.ask(("GET", "POST")[len(asked) % 2], "/high?mock_latency=1.5"))
            wait_until(f"{len(asked)} slots are filled", lambda: self.in_flight() == len(asked))
        assert [one.answer().status for one in asked] == [200] * SLOTS


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
