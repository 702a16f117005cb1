"""A stack that may be tormented: every link goes through a proxy, every process may be killed or frozen, and be mended.

One rig serves many scenarios: `mend` brings it back to where it began, starting again only what is broken. While a
scenario runs, `load` sends requests of its own; what is counted here is the scenario's, and not the load's.
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

from fast_priority.local.child_processes import ChildProcess, stop, worker_process
from tests.chaos.asking import Asked
from tests.chaos.load.apart import count_of_load, count_queued, count_started, is_any_left, is_in_flight
from tests.chaos.load.background import STANDING, Load
from tests.chaos.load.judging import Seen, join_attempts
from tests.chaos.proxy import Proxies
from tests.chaos.redis_clock import RedisClock
from tests.chaos.redis_server import RedisServer
from tests.harness import Stack, running_stack, wait_until

SLOTS = 6
"""So many slots are a scenario's; the load's long transfers have their own."""
_ALL_SLOTS = SLOTS + STANDING
_START_SECONDS = 60  # a busy machine starts several at once
REGISTERS = {"rq:queues", "rq:workers", "rq:workers:high", "rq:workers:low"}


class Rig:
    """Gateway, one worker process, mock target and Redis, with a proxy on every link between them.

    With a `clock`, it is the wall clock of Redis.
    """

    def __init__(self, folder: Path, clock: RedisClock | None = None) -> None:
        self.clock = clock
        self._folder = folder
        self._parts = ExitStack()
        self._asked: list[Asked] = []
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
        self._thaw()  # a frozen process does not end when it is told to
        self._parts.close()

    # What it is made of.

    def heal(self) -> None:
        """End whatever fault there is, but for processes that have ended; Redis alone is started again."""
        for link in self.links:
            link.heal()
        if not self.redis_server.runs:
            self.redis_server.start()
        self._thaw()
        self.stack.redis.config_set("maxmemory", 0)

    def mend(self, **gateway_environment: str) -> None:
        """Bring everything back to how it was at the beginning; the gateway has these settings more."""
        self.heal()
        for asked in self._asked:
            asked.leave()
        self._asked.clear()
        self.stack.mock.post("/__admin/reset")
        self.target_takes(0)
        self.have_gateway(**gateway_environment)
        self.have_workers()
        self._until_at_rest()

    def _thaw(self) -> None:
        gateway = self.stack.processes.get("gateway")
        gateways = [gateway.pid] if gateway is not None and gateway.poll() is None else []
        _signal_all([self.redis_server.pid, *gateways, *self.worker_pids()], signal.SIGCONT)

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
    def gateway_frozen(self) -> Iterator[None]:
        """The gateway does nothing at all while the block lasts; the system takes connections and bytes for it."""
        frozen = self.gateway
        frozen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            frozen.send_signal(signal.SIGCONT)

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

    # The load.

    @property
    def load(self) -> Load:
        """The load that runs now."""
        assert self._load is not None
        return self._load

    def begin_load(self) -> None:
        """Send a load from now on, and return once it flows: both long transfers are at the target, and others were."""
        self._load = Load(self.stack.gateway_port, self.redis_server.port)
        with ExitStack() as undone:
            undone.enter_context(self._load)
            wait_until("the load flows", self._load_flows)
            undone.pop_all()

    def pause_load(self) -> None:
        """Send no more short requests of the load, and return once Redis has all that it sent: none is on its way."""
        self.load.pause()
        wait_until("Redis has all of the load", lambda: self.load.under_way <= count_of_load(self.stack.redis))

    def end_load(self) -> list[Seen]:
        """End the load with no fault left, and return what became of each request of it, once nothing is under way."""
        self.heal()
        done, self.stalls = self.load.end(), self.load.stalls
        self._load = None
        self._until_at_rest()
        return join_attempts(done, (row["request_id"] for row in self.stack.arrivals()))

    def _load_flows(self) -> bool:
        ids = {row["request_id"] for row in self.stack.arrivals()}
        return self.load.standing_ids < ids

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
        """Count the scenario's requests that are at the target now."""
        return sum(map(is_in_flight, self.stack.arrivals()))

    def queued(self) -> int:
        """Count the scenario's requests on both queues, by Redis itself."""
        return count_queued(self.stack.redis)

    def until_seconds_have_passed(self, seconds: float) -> None:
        """Return once a fault has lasted so long: its length is what the scenario is about."""
        until = time.monotonic() + seconds
        wait_until(f"{seconds:g} s have passed", lambda: time.monotonic() >= until, 2 * seconds + 10)

    def started(self) -> int:
        """Count the scenario's requests that a worker has taken and not settled, by Redis itself."""
        return count_started(self.stack.redis)

    # What every scenario ends with.

    def until_recovered(self) -> None:
        """Return once nothing of what was is left and every slot carries again. Raises TimeoutError, saying what."""
        self._until_at_rest()
        wait_until("no request is left in Redis", lambda: not is_any_left(self.stack.redis))
        try:
            wait_until("every key has an end", lambda: self.stack.keys_without_end() <= REGISTERS)
        except TimeoutError:
            raise TimeoutError(f"these have none: {self.stack.keys_without_end() - REGISTERS}") from None
        self.stack.forget_arrivals()
        self._fill_all_slots()
        assert [one.answer().status for one in self.ask_each(("GET", "POST"))] == [200] * 2

    def _fill_all_slots(self) -> None:
        """Have every slot carry a request that the target does not answer, and then its client leave."""
        asked: list[Asked] = []
        for filled in range(2, _ALL_SLOTS + 1, 2):  # two at a time, so that the shortest queue takes them
            asked += self.ask_each(("GET", "POST"), "/high?mock_fault=hang")
            wait_until(f"{filled} slots are filled", lambda: self.in_flight() == filled)  # noqa: B023 - waits here
        for one in asked:
            one.leave()
        wait_until("all slots are free", lambda: self.in_flight() == 0)

    def _until_at_rest(self) -> None:
        wait_until("nothing is at the target", lambda: self.stack.in_flight() == 0)
        wait_until("nothing is queued", lambda: self._all_queued() == 0)

    def _all_queued(self) -> int:
        return sum(int(self.stack.redis.llen(f"rq:queue:{name}")) for name in ("high", "low"))


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
