"""The walk of a queued GET through the files of fast_priority, traced in one process.

Counted are the rooms that act: server, gateway, broker, slots and target. The rooms below them in the layer contract
(protocol, settings, http, scheduling, support, errors) hold rules, messages and tools: they take values, return values,
and send a request nowhere. A file crosses the walk if it hands the request on to another acting file, or is the last
that it comes to. A file that is only asked for a value is not on the walk.
"""

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest
import uvloop
from redis import Redis

import fast_priority
from fast_priority.app import create_app
from fast_priority.broker.consumer import RqConnection
from fast_priority.server import server_for
from fast_priority.settings import Settings
from fast_priority.slots.loop import WorkerLoop
from tests.harness import free_port, scripted_target, wait_until

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 30
ROOT = f"{Path(fast_priority.__file__).parent}/"
ARCHITECTURE = Path(fast_priority.__file__).parents[1] / "docs" / "internals" / "architecture.md"
ROOMS = ("server/", "gateway/", "broker/", "slots/", "target/")
MOST_FILES = 30
MOST_FILES_FROM_CLAIM_TO_FIRST_BYTE = 5
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUESTS = 5


class Call(NamedTuple):
    """A call of one function of ours, and the file of ours that it was called from."""

    file: str
    function: str
    caller: str


class Trace:
    """The calls of functions of fast_priority in one thread, while it is on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: list[Call] = []

    @contextmanager
    def on(self) -> Iterator[list[Call]]:
        """Trace the calls in the loop's thread. Use it in another thread."""
        self._calls = []
        self._in_loop(lambda: sys.setprofile(self._note))
        try:
            yield self._calls
        finally:
            self._in_loop(lambda: sys.setprofile(None))

    def _in_loop(self, step: Callable[[], None]) -> None:
        is_done = threading.Event()

        def run() -> None:
            step()
            is_done.set()

        self._loop.call_soon_threadsafe(run)
        assert is_done.wait(PATIENCE_SECONDS)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        name = _ours(frame)
        if event == "call" and name:
            caller = frame.f_back
            while caller is not None and not _ours(caller):
                caller = caller.f_back
            self._calls.append(Call(name, frame.f_code.co_name, _ours(caller) if caller else ""))


def _ours(frame: FrameType) -> str:
    name = frame.f_code.co_filename
    return name.removeprefix(ROOT) if name.startswith(ROOT) else ""


class Stack:
    """A gateway and a worker on one event loop, in a thread of its own, in front of a target."""

    def __init__(self, redis: Redis, redis_port: int, target_port: int) -> None:
        self.port = free_port()
        self._settings = Settings.load(
            host="127.0.0.1",
            port=self.port,
            redis_host="127.0.0.1",
            redis_port=redis_port,
            target_base_url=f"http://127.0.0.1:{target_port}",
        )
        self._redis = redis
        self._server = server_for(create_app(self._settings), self._settings)
        self.loop: asyncio.AbstractEventLoop | None = None

    async def _run(self) -> None:
        worker = WorkerLoop(
            name="walk",
            slots=2,
            settings=self._settings,
            rq_connection=RqConnection(self._redis),
            record=lambda: {},
            burst=False,
        )
        running = asyncio.create_task(worker.run())
        self.loop = asyncio.get_running_loop()
        await self._server.serve()
        worker.drain.on_stop_signal()
        await running

    @contextmanager
    def running(self) -> Iterator[Trace]:
        def run() -> None:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._run())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            wait_until("it serves", lambda: self._server.started)
            assert self.loop is not None
            yield Trace(self.loop)
        finally:
            self._server.should_exit = True
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def walks(redis: Redis, redis_port: int, monkeypatch: pytest.MonkeyPatch) -> list[list[Call]]:
    """The calls of several queued GETs, each on kept connections."""
    # Signal handlers belong to the main thread, and the stack runs in another.
    monkeypatch.setattr("fast_priority.slots.loop.on_stop_signal", lambda callback: None)
    with scripted_target(lambda connection, _: connection.sendall(OK)) as (target_port, heads):
        stack = Stack(redis, redis_port, target_port)
        with stack.running() as trace, socket.create_connection(("127.0.0.1", stack.port)) as client:
            client.settimeout(PATIENCE_SECONDS)
            for _ in range(3):
                get(client)
            walks = []
            for _ in range(REQUESTS):
                with trace.on() as calls:
                    get(client)
                    wait_until("the job is settled", lambda: not redis.keys("rq:job:*"))
                walks.append(calls)
        assert len(heads) == 3 + REQUESTS
    return walks


def get(client: socket.socket) -> None:
    client.sendall(b"GET /x HTTP/1.1\r\nHost: gateway\r\n\r\n")
    received = b""
    while not received.endswith(b"\r\n\r\nok"):
        piece = client.recv(4096)
        assert piece, received
        received += piece


def in_all(walks: list[list[Call]], files_of: Callable[[list[Call]], set[str]]) -> list[str]:
    """Return the files of every walk, in the order of the last: what a timer does now and then is in some only."""
    common = set.intersection(*(files_of(walk) for walk in walks))
    order = [call.file for call in walks[-1]]
    return sorted(common, key=lambda file: order.index(file) if file in order else -1)


def claim_to_first_byte(walk: list[Call]) -> list[Call]:
    """Return the calls from the start of a claim to the write to the target."""
    start = next(at for at, call in enumerate(walk) if call.file.startswith("slots/") and call.function == "start")
    end = next(at for at, call in enumerate(walk) if call.file == "target/connection.py" and call.function == "write")
    assert start < end
    return walk[start : end + 1]


def handed_on(steps: list[Call]) -> set[str]:
    """Return the acting files that hand the request on to another acting file."""
    return {call.caller for call in steps if call.caller != call.file and _acts(call.file) and _acts(call.caller)}


def _acts(file: str) -> bool:
    return file.startswith(ROOMS)


def to_first_byte(walk: list[Call]) -> set[str]:
    """Return the files from the start of a claim to the write to the target."""
    steps = claim_to_first_byte(walk)
    return handed_on(steps) | {steps[-1].file}


def documented() -> set[str]:
    """Return the files of the walk as the page on the architecture lists them."""
    block = ARCHITECTURE.read_text().partition("<!-- walk -->")[2].partition("<!-- /walk -->")[0]
    return {line.split()[0] for line in block.splitlines() if line and line[0].isalpha()}


def shown(files: list[str]) -> str:
    return f"{len(files)} files:\n  " + "\n  ".join(files)


def test_from_the_claim_to_the_first_byte(walks: list[list[Call]]) -> None:
    """At most five files hand a claimed request on, from the worker loop to the connection to the target.

    With `--log-cli-level=info`, the tests here list the files.
    """
    files = in_all(walks, to_first_byte)
    logger.info("from claim to first byte: %s", shown(files))
    assert {"slots/loop.py", "slots/dispatcher.py", "target/exchange.py", "target/connection.py"} <= set(files)
    assert len(files) <= MOST_FILES_FROM_CLAIM_TO_FIRST_BYTE, shown(files)


def test_a_queued_get(walks: list[list[Call]]) -> None:
    """A queued GET crosses few files, from its first byte to that of its response, and the page names each of them."""
    files = in_all(walks, handed_on)
    logger.info("a queued GET: %s", shown(files))
    assert {"server/http_protocol.py", "broker/consumer/claims.py", "slots/loop.py"} <= set(files)
    assert len(files) <= MOST_FILES, shown(files)
    assert set(files) <= documented() <= set().union(*map(handed_on, walks))
