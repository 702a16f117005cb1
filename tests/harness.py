"""The whole stack as processes, and what tests measure on it."""

import gc
import json
import re
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import IO, Any

import httpx
from redis import Redis

from fast_priority.local.child_processes import (
    ChildProcess,
    gateway_process,
    mock_target_process,
    wait_until,
    wait_until_answers,
    worker_process,
)
from fast_priority.local.free_ports import free_port
from tests.forked_processes import forked

__all__ = ["Stack", "exchange_bytes", "free_port", "running_stack", "wait_until"]

_CLIENT_TIMEOUT_SECONDS = 60
_START_SECONDS = 60  # a busy machine starts several at once

Run = Callable[[ChildProcess, IO[bytes]], AbstractContextManager["Popen[bytes]"]]
"""Runs a process that writes to this file, while its block lasts."""


@dataclass
class Stack:
    """A gateway in front of a mock target, its workers, and a client; everything on loopback.

    `run` starts its processes: forked from one that has imported all, or, as `child_processes.running`, from nothing.
    """

    redis_port: int
    mock_port: int
    gateway_port: int
    logs: Path
    parts: ExitStack
    processes: dict[str, "Popen[bytes]"] = field(default_factory=dict)
    run: Run = forked

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.gateway_port}"
        self.mock_url = f"http://127.0.0.1:{self.mock_port}"
        self.client = self.parts.enter_context(httpx.Client(base_url=self.url, **CLIENT_OPTIONS))
        self.mock = self.parts.enter_context(httpx.Client(base_url=self.mock_url, **CLIENT_OPTIONS))
        self.redis = self.parts.enter_context(Redis(port=self.redis_port))

    def start(self, part: ChildProcess, run: Run | None = None) -> "Popen[bytes]":
        """Start one more process by `run`, if given; its output goes to a file of its own in `logs`."""
        log = self.parts.enter_context((self.logs / f"{part.name}-{uuid.uuid4().hex}.log").open("wb"))
        process = self.parts.enter_context((run or self.run)(part, log))
        self.processes[part.name] = process
        return process

    def start_mock(self, latency: str = "0") -> None:
        """Start the mock target."""
        process = self.start(mock_target_process(self.mock_port, latency))
        wait_until_answers(process, "mock target", f"{self.mock_url}/health", _START_SECONDS)

    def start_gateway(self, **environment: str) -> None:
        """Start the gateway; paths under /low are low, all others high."""
        environment = {"FAST_PRIORITY_PRIO_BASE_PATHS": "low", **environment}
        process = self.start(
            gateway_process(self.mock_url, "127.0.0.1", self.gateway_port, self.redis_port, **environment)
        )
        wait_until_answers(process, "gateway", f"{self.url}/gateway_health/live", _START_SECONDS)

    def start_workers(self, processes: int = 1, concurrency: int = 4, **environment: str) -> "Popen[bytes]":
        """Start PriorityWorkers and wait until the gateway counts them."""
        before = self.health()["workers"]
        started = self.start(worker_process(processes, concurrency, self.redis_port, **environment))
        wait_until("the workers are there", lambda: self.health()["workers"] == before + processes)
        return started

    def start_stock_worker(self) -> "Popen[bytes]":
        """Start `rq worker high low`."""
        before = self.health()["workers"]
        environment = {"RQ_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}"}
        started = self.start(ChildProcess("stock worker", ("-m", "rq.cli", "worker", "high", "low"), environment))
        wait_until("the stock worker is there", lambda: self.health()["workers"] == before + 1)
        return started

    def health(self) -> dict[str, Any]:
        """Return the gateway's health."""
        found: dict[str, Any] = self.client.get("/gateway_health").json()
        return found

    def queued(self) -> int:
        """Return how many requests are queued."""
        return sum(self.health()["queue"].values())

    def in_flight(self) -> int:
        """Return how many requests are at the target."""
        count: int = self.mock.get("/__admin/arrivals?last=0").json()["in_flight"]
        return count

    def arrivals(self) -> list[dict[str, Any]]:
        """Return the mock target's arrival log, in order."""
        found: list[dict[str, Any]] = self.mock.get("/__admin/arrivals").json()["arrivals"]
        return found

    def forget_arrivals(self) -> None:
        """Empty the mock target's log."""
        self.mock.delete("/__admin/arrivals")

    def keys_without_end(self) -> set[str]:
        """Return the keys in Redis that never expire."""
        return {key.decode() for key in self.redis.keys("*") if self.redis.ttl(key) == -1}


CLIENT_OPTIONS: dict[str, Any] = {
    "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # nothing here is TLS, and to read all certificates takes long
    "timeout": _CLIENT_TIMEOUT_SECONDS,
    "trust_env": False,
    "follow_redirects": False,
    "limits": httpx.Limits(max_connections=None, max_keepalive_connections=None),
}


@contextmanager
def running_stack(redis_port: int, logs: Path) -> Iterator[Stack]:
    """Yield a stack of which nothing runs yet; end what was started of it."""
    with ExitStack() as parts:
        yield Stack(redis_port, free_port(), free_port(), logs, parts)


class Background:
    """Sends requests in threads, so that a test can look at the stack while they are in flight."""

    def __init__(self, most: int) -> None:
        self._threads = ThreadPoolExecutor(max_workers=most)

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def send(self, request: Callable[[], httpx.Response]) -> "Future[httpx.Response]":
        """Send a request in the background."""
        return self._threads.submit(request)


def exchange_bytes(port: int, sent: bytes, *, host: str = "127.0.0.1") -> bytes:
    """Send bytes on a new connection, and return all that is received until it closes."""
    with socket.create_connection((host, port), timeout=_CLIENT_TIMEOUT_SECONDS) as connection:
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


@contextmanager
def without_collector() -> Iterator[None]:
    """Turn the garbage collector off while the block lasts: objects in reference cycles stay alive."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def scripted_target(answer: Callable[[socket.socket, bytes], None]) -> Iterator[tuple[int, list[bytes]]]:
    """Run a target that calls `answer` with socket and head for each request.

    Yield its port and the list of received heads, which grows.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    heads: list[bytes] = []
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with connection:
            while head := _read_head(connection):
                heads.append(head)
                answer(connection, head)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], heads
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        try:
            chunk = connection.recv(65536)
        except OSError:
            return b""
        if not chunk:
            return b""
        head += chunk
    return head


def sent_fields(response: httpx.Response) -> list[tuple[str, str]]:
    """Return the fields that the target received, from the mock target's echo."""
    return [(name, value) for name, value in response.json()["fields"]]


def without_identity(text: str) -> str:
    """Return the text with the deployment's part of the gateway's name in Via removed."""
    return re.sub(r"fast-priority-[0-9a-f]{16}", "fast-priority", text)


def problem_of(response: httpx.Response) -> Mapping[str, Any]:
    """Return the gateway's own error in a response."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    assert "fast-priority; error=" in response.headers["proxy-status"]
    found: Mapping[str, Any] = json.loads(response.content)
    return found
