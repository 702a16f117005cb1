"""A bounded load on one gateway, in a thread of its own, so that requests are in every stage when a fault comes."""

import asyncio
import itertools
import random
import threading
import time
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from tests.chaos.load.plan import Done, Kind, Outcome, Plan
from tests.chaos.load.request_counts import LOAD_MARKER
from tests.chaos.load.sending import open_session, send

REQUESTS_PER_SECOND = 20.0
LONG_TRANSFERS = 2
"""Slots that an upload and a download hold as long as the load lasts."""
_SMALL_TRANSFER_SHARE = 0.1
_SMALL_TRANSFER_BYTES, _SMALL_TRANSFER_BYTES_PER_SECOND = 200_000, 1_000_000
# Longer than any scenario; on request the upload ends and the client of the download disconnects.
_LONG_TRANSFER_BYTES, _LONG_TRANSFER_BYTES_PER_SECOND = 60_000_000, 128 * 1024
_TIMEOUT_SECONDS = 60.0
# A gateway refuses a request that Redis has not accepted within 1.8 s.
_STALL_SECONDS = 0.6
_STALL_SETTLES_SECONDS = 2.0
_STALL_POLL_SECONDS = 0.1


class Load:
    """Short GETs and POSTs and small transfers, low; one long upload and one long download, high.

    The short requests are low, so they wait while a scenario fills all slots: the scenario's own requests are high.
    """

    def __init__(self, port: int, redis_port: int) -> None:
        self.done: list[Done] = []
        self.stalls: list[tuple[float, float]] = []
        self._redis_port = redis_port
        self._url = f"http://127.0.0.1:{port}"
        self._name = f"{LOAD_MARKER.removeprefix('/')}{uuid.uuid4().hex[:8]}"
        self._numbers = itertools.count(1)
        self._in_flight: dict[str, tuple[Plan, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_extra_clients = False
        self._timeout_seconds = _TIMEOUT_SECONDS
        self._ready = threading.Event()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._watch_for_stalls, daemon=True, name="stalls")
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        self._watch.start()
        if not self._ready.wait(_TIMEOUT_SECONDS):
            raise TimeoutError("the load did not begin")
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def long_transfer_ids(self) -> set[str]:
        """Return the request ids of the long upload and the long download."""
        return {f"{self._name}-upload", f"{self._name}-download"}

    @property
    def in_flight(self) -> int:
        """Return how many of its requests have no answer yet."""
        return len(self._in_flight)

    def pause(self) -> None:
        """Send no more short requests until `resume`."""
        self._resumed.clear()

    def resume(self) -> None:
        """Send short requests again."""
        self._loop.call_soon_threadsafe(self._resumed.set)

    def end_transfers(self) -> None:
        """Complete the long upload, and disconnect the client of the long download."""
        self._loop.call_soon_threadsafe(self._transfers_end.set)

    def end(self) -> list[Done]:
        """End the load and return how each request ended; those without an answer are "never answered"."""
        if self._thread.is_alive():
            self.resume()
            self.end_transfers()
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(self._timeout_seconds + _TIMEOUT_SECONDS)
        self._over.set()
        self._watch.join(_TIMEOUT_SECONDS)
        left = list(self._in_flight.values())
        self._in_flight.clear()
        self.done += [Done(plan, sent_at, time.time(), Outcome.UNANSWERED) for plan, sent_at in left]
        return self.done

    def abandon(self) -> None:
        """Stop at once, without waiting for answers."""
        self._timeout_seconds = 0.0
        self.end()

    @contextmanager
    def extra_clients(self, clients: int) -> Iterator[None]:
        """Add `clients` clients while the block lasts; each sends POST after POST."""
        self._has_extra_clients = True
        for _ in range(clients):
            self._loop.call_soon_threadsafe(lambda: self._start(self._send_posts()))
        try:
            yield
        finally:
            self._has_extra_clients = False

    def _watch_for_stalls(self) -> None:
        """Record when Redis, without any proxy, or this process is slow: unix seconds, from and to."""
        with Redis(port=self._redis_port) as redis:
            while not self._over.is_set():
                sent_at = time.time()
                with suppress(RedisError, OSError):
                    redis.ping()
                self._over.wait(_STALL_POLL_SECONDS)
                answered_at = time.time()
                if answered_at - sent_at > _STALL_SECONDS:
                    self.stalls.append((sent_at, answered_at + _STALL_SETTLES_SECONDS))

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended, self._transfers_end = asyncio.Event(), asyncio.Event()
        self._resumed = asyncio.Event()
        self._resumed.set()
        async with open_session() as self._session:
            self._start(self._send(self._long_transfer("POST", Kind.UPLOAD)))
            self._start(self._send(self._long_transfer("GET", Kind.DOWNLOAD)))
            self._ready.set()
            await self._send_short_requests()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._timeout_seconds)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_short_requests(self) -> None:
        rng = random.Random(self._name)
        due = self._loop.time()
        while not self._ended.is_set():
            await self._resumed.wait()
            self._start(self._send(self._short(rng)))
            due = max(due + rng.expovariate(REQUESTS_PER_SECOND), self._loop.time())
            await asyncio.sleep(due - self._loop.time())

    async def _send_posts(self) -> None:
        while self._has_extra_clients and not self._ended.is_set():
            await self._send(self._plan("POST"))
            await asyncio.sleep(0)

    async def _send(self, plan: Plan) -> None:
        self._in_flight[plan.request_id] = plan, time.time()
        ending = self._transfers_end if plan.request_id in self.long_transfer_ids else None
        done = await send(self._session, self._url, plan, 10 * _TIMEOUT_SECONDS, ending)
        self.done.append(done)
        del self._in_flight[plan.request_id]

    def _start(self, doing: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _long_transfer(self, method: str, kind: Kind) -> Plan:
        return Plan(
            request_id=f"{self._name}-{kind}",
            after_seconds=0.0,
            method=method,
            priority="high",
            kind=kind,
            size_bytes=_LONG_TRANSFER_BYTES,
            bytes_per_second=_LONG_TRANSFER_BYTES_PER_SECOND,
        )

    def _short(self, rng: random.Random) -> Plan:
        if rng.random() >= _SMALL_TRANSFER_SHARE:
            return self._plan(rng.choice(("GET", "POST")))
        method, kind = rng.choice((("POST", Kind.UPLOAD), ("GET", Kind.DOWNLOAD)))
        return self._plan(method, kind)

    def _plan(self, method: str, kind: Kind = Kind.SHORT) -> Plan:
        return Plan(
            request_id=f"{self._name}-{next(self._numbers)}",
            after_seconds=0.0,
            method=method,
            priority="low",
            kind=kind,
            size_bytes=_SMALL_TRANSFER_BYTES,
            bytes_per_second=_SMALL_TRANSFER_BYTES_PER_SECOND,
        )
