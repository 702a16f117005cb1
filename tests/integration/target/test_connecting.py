"""Connections to the target: how long the look-up of its name and all its addresses may take, and which are tried."""

import asyncio
import contextlib
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fast_priority.errors import ConnectTimeout, TargetNotFound
from fast_priority.http.message import TargetPolicy
from fast_priority.target import Accepted, Target, ask_for_websocket, look_ups
from tests.harness import scripted_target, wait_until, without_collector
from tests.integration.target.target_rig import OK, PATIENCE_SECONDS, Run, ask

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Names:
    """Stands in for the system's look-ups: they hang until the test lets them go on, if it says so."""

    def __init__(self, *addresses: str, hang: bool = False) -> None:
        self._addresses = addresses
        self.may_answer = threading.Event()
        self.asked: list[str] = []
        if not hang:
            self.may_answer.set()

    def getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        assert self.may_answer.wait(PATIENCE_SECONDS)
        if not self._addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self._addresses]


@contextmanager
def known(names: Names) -> Iterator[Names]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        try:
            yield names
        finally:
            names.may_answer.set()
            wait_until("no look-up is in progress", lambda: not look_ups._running)


def target_named(name: str, port: int, connect_timeout_seconds: float = PATIENCE_SECONDS) -> Target:
    return Target(TargetPolicy(f"http://{name}:{port}", connect_timeout_seconds, PATIENCE_SECONDS, 0))


@contextmanager
def unanswered_address(address: str) -> Iterator[int]:
    """Yield a port of the address on which no connection is accepted: its backlog is full."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind((address, 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(3):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((address, port))
        yield port


def test_the_timeout_is_for_all_addresses_together(run_on_loop: Run) -> None:
    """A target with many addresses, of which none answers, takes the timeout for connecting once, not for each."""
    seconds = 0.3

    async def connect() -> float:
        loop = asyncio.get_running_loop()
        async with target_named("many.example", port, seconds) as target:
            began_at = loop.time()
            with pytest.raises(ConnectTimeout):
                await target.pool.connect()
            return loop.time() - began_at

    with unanswered_address("127.0.0.1") as port, known(Names(*["127.0.0.1"] * 20)):
        assert run_on_loop(connect()) < 10 * seconds


def test_a_look_up_that_hangs_is_within_the_timeout(run_on_loop: Run) -> None:
    """A request whose target's name takes too long to be looked up gets the timeout of the connection."""

    async def connect() -> None:
        async with target_named("hangs.example", 9, 0.1) as target:
            with pytest.raises(ConnectTimeout):
                await target.pool.connect()

    with known(Names(hang=True)):
        run_on_loop(connect())


def test_a_look_up_is_shared(run_on_loop: Run) -> None:
    """While a look-up of a name hangs, there is no second one of it, whatever connects: also other targets."""

    async def connect(name: str) -> None:
        async with target_named(name, 9, 0.05) as target:
            for _ in range(3):
                with pytest.raises(ConnectTimeout):
                    await target.pool.connect()

    async def connect_to_all() -> None:
        await asyncio.gather(*(connect(name) for name in ("one.example", "one.example", "other.example")))

    with known(Names(hang=True)) as names:
        run_on_loop(connect_to_all())
        assert sorted(names.asked) == ["one.example", "other.example"]


def test_hung_look_ups_leave_threads_for_others(run_on_loop: Run) -> None:
    """Look-ups of many names that hang take no thread of the pool, and are not more than the limit."""

    async def connect(name: str) -> None:
        async with target_named(name, 9, 0.2) as target:
            with pytest.raises(ConnectTimeout):
                await target.pool.connect()

    async def connect_to_all() -> str:
        await asyncio.gather(*(connect(f"{number}.example") for number in range(2 * look_ups.MOST_LOOK_UPS)))
        return await asyncio.to_thread(lambda: "a thread")

    with known(Names(hang=True)) as names:
        assert run_on_loop(connect_to_all()) == "a thread"
        assert len(names.asked) == look_ups.MOST_LOOK_UPS


def test_a_request_that_leaves_does_not_end_the_look_up(run_on_loop: Run) -> None:
    """A request that is cancelled while a name is looked up does not affect another that waits for the same name."""

    async def connect() -> tuple[int, bytes]:
        async with target_named("slow.example", port) as one, target_named("slow.example", port) as other:
            leaving, staying = asyncio.create_task(ask(one)), asyncio.create_task(ask(other))
            while not names.asked:
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            names.may_answer.set()
            return await staying

    with (
        scripted_target(lambda connection, _: connection.sendall(OK)) as (port, _),
        known(Names("127.0.0.1", hang=True)) as names,
    ):
        assert run_on_loop(connect()) == (200, b"ok")


def test_an_unknown_name(run_on_loop: Run) -> None:
    """A name that does not resolve is looked up again with the next request, and is no timeout."""

    async def connect() -> None:
        async with target_named("unknown.example", 9) as target:
            for _ in range(2):
                with pytest.raises(TargetNotFound):
                    await target.pool.connect()

    with known(Names()) as names:
        run_on_loop(connect())
        assert len(names.asked) == 2


@pytest.mark.parametrize("first", ["127.0.0.9", "127.0.0.10"])
def test_a_websocket_tries_the_next_address(run_on_loop: Run, first: str) -> None:
    """A WebSocket goes to the next address of the target when the first one refuses, or does not answer."""

    async def connect() -> int:
        async with target_named("two.example", port) as target:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await ask_for_websocket(target, b"/", [])
            assert isinstance(answer, Accepted)
            answer.stream.reset()
            return 101

    with (
        scripted_target(lambda connection, _: connection.sendall(SWITCHING)) as (port, heads),
        known(Names(first, "127.0.0.1")),
        contextlib.ExitStack() as sockets,
    ):
        if first == "127.0.0.10":
            silent = sockets.enter_context(socket.socket())
            silent.bind((first, port))
            silent.listen(0)
            for _ in range(3):
                filler = sockets.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex((first, port))
        assert run_on_loop(connect()) == 101
        assert len(heads) == 1


async def test_a_failed_look_up_leaves_no_cycle() -> None:
    """What a look-up has raised is freed with the look-up, without Python's collector of cycles."""
    with known(Names()), without_collector():
        look_up = look_ups._look_up("nowhere.test", socket.AF_INET)
        wait_until("the look-up has failed", look_up.done)
        assert isinstance(look_up.exception(), socket.gaierror)
        freed = weakref.ref(look_up)
        wait_until("its thread has ended", lambda: not any(one.name == "name look-up" for one in threading.enumerate()))
        del look_up
        assert freed() is None
