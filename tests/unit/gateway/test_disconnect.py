"""A client that leaves ends the work on its request; nothing else does."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fast_priority.errors import ClientLeft
from fast_priority.gateway.disconnect import AwaitedDisconnect, Disconnect, until_disconnect
from fast_priority.server import DisconnectEvent

PATIENCE_SECONDS = 30


class Work:
    """What answers a client: it begins, and lasts until it is cancelled or `may_end`."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.was_cancelled = False

    async def run(self) -> None:
        self.has_begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


def by_the_server() -> tuple[Disconnect, Callable[[], None]]:
    left = DisconnectEvent()
    return left, left.set


def by_waiting() -> tuple[Disconnect, Callable[[], None]]:
    left = asyncio.Event()

    async def client_left() -> None:
        await left.wait()

    return AwaitedDisconnect(client_left), left.set


each_way = pytest.mark.parametrize("way", [by_the_server, by_waiting])
Way = Callable[[], tuple[Disconnect, Callable[[], None]]]


def reply(*, has_ended: bool = False) -> Any:
    return SimpleNamespace(has_ended=has_ended)


@each_way
async def test_a_client_that_leaves_ends_the_work(way: Way) -> None:
    """The work is cancelled, ClientLeft is raised, and the task counts no cancellation."""
    disconnect, leave = way()
    work = Work()

    async def run() -> int:
        with pytest.raises(ClientLeft):
            await until_disconnect(work.run(), disconnect, reply())
        return asyncio.current_task().cancelling()  # type: ignore[union-attr]  # a coroutine runs in a task

    running = asyncio.create_task(run())
    await work.has_begun.wait()
    leave()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await running, work.was_cancelled) == (0, True)


@each_way
async def test_a_client_that_leaves_after_its_response(way: Way) -> None:
    """The work ends by itself."""
    disconnect, leave = way()
    work = Work()
    running = asyncio.create_task(until_disconnect(work.run(), disconnect, reply(has_ended=True)))
    await work.has_begun.wait()
    leave()
    await asyncio.sleep(0)
    work.may_end.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await running
    assert not work.was_cancelled


@each_way
async def test_another_cancellation_passes(way: Way) -> None:
    """A request whose task is cancelled, as by a server that ends, has no client that left."""
    disconnect, _ = way()
    work = Work()
    running = asyncio.create_task(until_disconnect(work.run(), disconnect, reply()))
    await work.has_begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@each_way
async def test_both_at_once(way: Way) -> None:
    """A cancellation wins over a client that leaves at the same time."""
    disconnect, leave = way()
    work = Work()
    running = asyncio.create_task(until_disconnect(work.run(), disconnect, reply()))
    await work.has_begun.wait()
    leave()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_server_that_cannot_be_asked() -> None:
    """An error of `receive` counts as a client that has left."""

    async def client_left() -> None:
        raise OSError("gone")

    with pytest.raises(ClientLeft):
        await until_disconnect(Work().run(), AwaitedDisconnect(client_left), reply())
