"""A stack to inject faults into: a proxy on every link, and processes that tests kill or freeze.

One rig serves many scenarios: `restore` brings it back to its first state and restarts only what is broken. During a
scenario, `load` sends requests of its own; the counts here are of the scenario's requests only.
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

from fast_priority.broker import keys, times
from fast_priority.local.child_processes import ChildProcess, stop, worker_process
from tests.chaos.client_request import ClientRequest
from tests.chaos.load.background import LONG_TRANSFERS, Load
from tests.chaos.load.judging import RequestRecord, join_attempts
from tests.chaos.load.request_counts import (
    count_of_load,
    count_queued,
    count_started,
    is_any_request_left,
    is_in_flight,
)
from tests.chaos.proxy import Proxies
from tests.chaos.redis_clock import RedisClock
from tests.chaos.redis_server import RedisServer
from tests.harness import Stack, running_stack, wait_until

SLOTS = 6
"""Slots for the scenario; the long transfers of the load have slots of their own."""
_ALL_SLOTS = SLOTS + LONG_TRANSFERS
_START_SECONDS = 60  # a busy machine starts several at once
REGISTRIES = {"rq:queues", "rq:workers", "rq:workers:high", "rq:workers:low"}


class Rig:
    """Gateway, one worker process, mock target and Redis, with a proxy on every link between them.

    `clock`, if given, is the wall clock of Redis.
    """

    def __init__(self, folder: Path, clock: RedisClock | None = None) -> None:
        self.clock = clock
        self._folder = folder
        self._parts = ExitStack()
        self._sent: list[ClientRequest] = []
        self._gateway_environment: dict[str, str] = {}
        self.pools: list[subprocess.Popen[bytes]] = []
        self._stock: set[int] = set()
        self._load: Load | None = None
        self.stalls: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._parts.close()
            raise
        return self

    def _start(self) -> None:
        proxies = self._parts.enter_context(Proxies())
        self.redis_server = RedisServer(self._folder, self.clock)
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
        if self._load is not None:
            self._load.abandon()
        self._thaw()  # a frozen process does not handle SIGTERM
        self._parts.close()

    # Its parts.

    def heal(self) -> None:
        """Remove every fault and resume frozen processes. Of processes that ended, only Redis is restarted."""
        for link in self.links:
            link.heal()
        if not self.redis_server.runs:
            self.redis_server.start()
        self._thaw()
        self.stack.redis.config_set("maxmemory", 0)

    def restore(self, **gateway_environment: str) -> None:
        """Bring everything back to its first state; `gateway_environment` adds settings of the gateway."""
        self.heal()
        for sent in self._sent:
            sent.disconnect()
        self._sent.clear()
        self.stack.mock.post("/__admin/reset")
        self.set_target_latency(0)
        self.ensure_gateway(**gateway_environment)
        self.ensure_workers()
        self._wait_until_at_rest()

    def _thaw(self) -> None:
        gateway = self.stack.processes.get("gateway")
        gateways = [gateway.pid] if gateway is not None and gateway.poll() is None else []
        _signal_all([self.redis_server.pid, *gateways, *self.worker_pids()], signal.SIGCONT)

    def ensure_gateway(self, **environment: str) -> None:
        """Ensure that a gateway with these settings runs; one that has them already is kept."""
        running = self.stack.processes.get("gateway")
        if running is not None and running.poll() is None:
            if environment == self._gateway_environment:
                return
            stop(running)
        self.start_gateway(**environment)

    def start_gateway(self, **environment: str) -> None:
        """Start the gateway, in place of the one that ended."""
        self._gateway_environment = environment
        defaults = {
            "FAST_PRIORITY_REDIS_PORT": str(self.gateway_to_redis.port),
            "FAST_PRIORITY_POLL_INTERVAL": "0.5",
            "FAST_PRIORITY_TIMEOUT": "30",
        }
        self.stack.start_gateway(**{**defaults, **environment})

    def ensure_workers(self) -> None:
        """Ensure that one pool of our workers runs, and no other worker."""
        kept = [pool for pool in self.pools if pool.poll() is None][:1]
        for pool in self.pools:
            if pool not in kept:
                stop(pool)
        self.pools = kept
        if not kept:
            self.start_workers()

    def start_workers(self, slots: int = _ALL_SLOTS) -> "subprocess.Popen[bytes]":
        """Start one more pool, of one worker process."""
        return self._start_workers(worker_process(1, slots, self.worker_to_redis.port))

    def start_stock_worker(self) -> "subprocess.Popen[bytes]":
        """Start `rq worker high low`."""
        url = f"redis://127.0.0.1:{self.worker_to_redis.port}"
        worker = self._start_workers(
            ChildProcess("stock", ("-m", "rq.cli", "worker", "high", "low"), {"RQ_REDIS_URL": url})
        )
        self._stock.add(worker.pid)
        return worker

    def end_workers(self) -> None:
        """End all workers in an orderly way."""
        for pool in self.pools:
            stop(pool)
        self.pools = []

    def _start_workers(self, part: ChildProcess) -> "subprocess.Popen[bytes]":
        known = set(self.stack.redis.keys("rq:worker:*"))
        pool = self.stack.start(part)
        self.pools.append(pool)
        wait_until(
            "the workers are there", lambda: bool(set(self.stack.redis.keys("rq:worker:*")) - known), _START_SECONDS
        )
        return pool

    @property
    def gateway(self) -> "subprocess.Popen[bytes]":
        """The gateway that was started last."""
        return self.stack.processes["gateway"]

    def worker_pids(self) -> list[int]:
        """Return the pids of the processes that serve requests.

        Of our pools: the worker processes, not the pool. Of rq's workers: the worker and its children.
        """
        pools = [psutil.Process(pool.pid) for pool in self.pools if pool.poll() is None]
        of_ours = [worker.pid for pool in pools for worker in pool.children() if pool.pid not in self._stock]
        return of_ours + [
            process.pid for pool in pools if pool.pid in self._stock for process in (pool, *pool.children())
        ]

    # Faults.

    def kill_worker(self) -> None:
        """Kill the worker process of each pool; the pool starts another one."""
        _signal_all(self.worker_pids(), signal.SIGKILL)

    def kill_stock_workers(self) -> None:
        """Kill rq's workers and their child processes."""
        self.kill_worker()
        for worker in self.pools:
            worker.wait()
        self.pools = []

    @contextmanager
    def workers_frozen(self, *, while_they_wait: bool = False) -> Iterator[None]:
        """Freeze the current workers while the block lasts.

        Waits first until Redis has carried out what they requested, unless `while_they_wait`.
        """
        pids = self.worker_pids()
        _signal_all(pids, signal.SIGSTOP)
        try:
            if not while_they_wait:
                wait_until("no frozen worker waits for work in Redis", self._has_woken_all_workers)
            yield
        finally:
            _signal_all(pids, signal.SIGCONT)

    @contextmanager
    def gateway_frozen(self) -> Iterator[None]:
        """Freeze the gateway while the block lasts; the system still accepts connections and bytes for it."""
        frozen = self.gateway
        frozen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            frozen.send_signal(signal.SIGCONT)

    @contextmanager
    def workers_suspended(self) -> Iterator[None]:
        """Suspend all workers while the block lasts, as `rq suspend` does: they claim nothing."""
        self.stack.redis.set("rq:suspended", "1")
        try:
            yield
        finally:
            self.stack.redis.delete("rq:suspended")

    def _has_woken_all_workers(self) -> bool:
        """Answer the waits of workers with tokens. Return whether there was no such wait.

        Each wait ends by itself within 2 s. But the leases of frozen workers end, too: a freeze has to be short.
        """
        redis = self.stack.redis
        waiting = sum(client["cmd"] == "blpop" and "b" in client["flags"] for client in redis.client_list())
        if waiting:
            redis.lpush(keys.WAKE_UP, *["1"] * waiting)
            redis.expire(keys.WAKE_UP, times.WAKE_UP_TTL_SECONDS)
        return not waiting

    def set_target_latency(self, seconds: float) -> None:
        """Set how long the target takes for requests that reach it from now on."""
        self.stack.mock.patch("/__admin/settings", json={"latency": seconds}).raise_for_status()

    # The load.

    @property
    def load(self) -> Load:
        """Return the load that runs now."""
        assert self._load is not None
        return self._load

    def begin_load(self) -> None:
        """Start a load, and return once both of its long transfers are at the target."""
        self._load = Load(self.stack.gateway_port, self.redis_server.port)
        with ExitStack() as undone:
            undone.enter_context(self._load)
            wait_until("the long transfers of the load are at the target", self._is_load_flowing)
            undone.pop_all()

    def pause_load(self) -> None:
        """Stop sending short requests of the load, and return once all that were sent are in Redis."""
        self.load.pause()
        wait_until(
            "all requests of the load are in Redis", lambda: self.load.in_flight <= count_of_load(self.stack.redis)
        )

    def end_load(self) -> list[RequestRecord]:
        """Remove all faults, end the load, and return how each of its requests ended, once none is in flight."""
        self.heal()
        done, self.stalls = self.load.end(), self.load.stalls
        self._load = None
        self._wait_until_at_rest()
        return join_attempts(done, (row["request_id"] for row in self.stack.arrivals()))

    def _is_load_flowing(self) -> bool:
        ids = {row["request_id"] for row in self.stack.arrivals()}
        return self.load.long_transfer_ids < ids

    # Clients, and what can be observed.

    def send(self, method: str, target: str = "/high", body: bytes | None = None) -> ClientRequest:
        """Send a request in the background."""
        body = b"body" if body is None and method in ("POST", "PUT", "PATCH") else body
        return self._track(ClientRequest(self.stack.gateway_port, method, target, body))

    def send_each(self, methods: tuple[str, ...], target: str = "/high") -> list[ClientRequest]:
        """Send one request of each method."""
        return [self.send(method, target) for method in methods]

    def send_handshake(self, target: str = "/high") -> ClientRequest:
        """Send a WebSocket handshake to a path without WebSockets: the target answers it as a plain GET."""
        fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        return self._track(ClientRequest(self.stack.gateway_port, "GET", target, None, fields))

    def upload(self, pieces: Callable[[], Iterator[bytes]]) -> ClientRequest:
        """Send a request whose body comes piece by piece, of unknown length."""
        return self._track(ClientRequest(self.stack.gateway_port, "POST", "/high", pieces()))

    def _track(self, sent: ClientRequest) -> ClientRequest:
        self._sent.append(sent)
        return sent

    def wait_until_at_target(self, *sent: ClientRequest) -> None:
        """Return once all of these have reached the target."""
        wait_until("the requests are at the target", lambda: all(self.attempts(one) > 0 for one in sent))

    def wait_until_queued(self, count: int) -> None:
        """Return once `count` requests of the scenario are queued."""
        wait_until(f"{count} are queued", lambda: self.queued() == count)

    def arrivals_of(self, sent: ClientRequest) -> list[dict[str, Any]]:
        """Return the arrivals of a request at the target."""
        return [row for row in self.stack.arrivals() if row["request_id"] == sent.request_id]

    def attempts(self, sent: ClientRequest) -> int:
        """Return how many times a request has reached the target."""
        return len(self.arrivals_of(sent))

    def in_flight(self) -> int:
        """Return how many requests of the scenario are at the target now."""
        return sum(map(is_in_flight, self.stack.arrivals()))

    def queued(self) -> int:
        """Return how many requests of the scenario are on both queues, counted in Redis."""
        return count_queued(self.stack.redis)

    def wait_seconds(self, seconds: float) -> None:
        """Return once a fault has lasted `seconds`: its duration is what the scenario is about."""
        until = time.monotonic() + seconds
        wait_until(f"{seconds:g} s have passed", lambda: time.monotonic() >= until, 2 * seconds + 10)

    def started(self) -> int:
        """Return how many requests of the scenario are claimed and not finished, counted in Redis."""
        return count_started(self.stack.redis)

    # The end of every scenario.

    def wait_until_recovered(self) -> None:
        """Return once Redis and target hold nothing of the scenario and every slot works. Raises TimeoutError."""
        self._wait_until_at_rest()
        wait_until("no request is left in Redis", lambda: not is_any_request_left(self.stack.redis))
        try:
            wait_until("every key expires", lambda: self.stack.keys_without_end() <= REGISTRIES)
        except TimeoutError:
            raise TimeoutError(f"these keys never expire: {self.stack.keys_without_end() - REGISTRIES}") from None
        self.stack.forget_arrivals()
        self._fill_all_slots()
        assert [one.result().status for one in self.send_each(("GET", "POST"))] == [200] * 2

    def _fill_all_slots(self) -> None:
        """Fill every slot with a request that the target does not answer; then disconnect all clients."""
        sent: list[ClientRequest] = []
        for filled in range(2, _ALL_SLOTS + 1, 2):  # two at a time, so that even the shortest queue accepts them
            sent += self.send_each(("GET", "POST"), "/high?mock_fault=hang")
            wait_until(f"{filled} slots are filled", lambda: self.in_flight() == filled)  # noqa: B023 - waits here
        for one in sent:
            one.disconnect()
        wait_until("all slots are free", lambda: self.in_flight() == 0)

    def _wait_until_at_rest(self) -> None:
        wait_until("nothing is at the target", lambda: self.stack.in_flight() == 0)
        wait_until("nothing is queued", lambda: self._all_queued() == 0)

    def _all_queued(self) -> int:
        return sum(int(self.stack.redis.llen(f"rq:queue:{name}")) for name in ("high", "low"))


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
