"""Many small calls as few round trips."""

import asyncio
import gc
import weakref
from collections.abc import Sequence

import pytest

from fast_priority.broker.connection import Batcher
from tests.unit.broker_rig import PATIENCE_SECONDS, until


class Link:
    """The other end: doubles what it is sent, and holds the first batch back until it is `opened`."""

    def __init__(self, *, opened: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.opened = asyncio.Event()
        self.errors: dict[int, Exception] = {}
        if opened:
            self.opened.set()

    async def send(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.opened.wait()
        if error := self.errors.get(items[0]):
            raise error
        return [2 * item for item in items]


async def answered(*asking: asyncio.Task[int]) -> list[int | BaseException]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.gather(*asking, return_exceptions=True)


def ask(batcher: Batcher[int, int], *items: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(batcher.ask(item)) for item in items]


async def test_one_turn_one_round_trip() -> None:
    """What is asked in one turn of the event loop travels together, in order."""
    link = Link()
    asking = ask(Batcher(link.send, most=10), 1, 2, 3)
    assert await answered(*asking) == [2, 4, 6]
    assert link.batches == [[1, 2, 3]]


async def test_asked_meanwhile() -> None:
    """What is asked while a round trip is under way waits for the next, and travels together in it."""
    link = Link(opened=False)
    batcher = Batcher(link.send, most=10)
    first = ask(batcher, 1)
    await until("the first round trip is under way", lambda: link.batches == [[1]])
    later = ask(batcher, 2, 3)
    await asyncio.sleep(0)
    link.opened.set()
    assert await answered(*first, *later) == [2, 4, 6]
    assert link.batches == [[1], [2, 3]]


async def test_at_most() -> None:
    """No round trip carries more than it may."""
    link = Link()
    asking = ask(Batcher(link.send, most=2), 1, 2, 3, 4, 5)
    assert await answered(*asking) == [2, 4, 6, 8, 10]
    assert link.batches == [[1, 2], [3, 4], [5]]


async def test_error_reaches_all() -> None:
    """Everybody whose item was in a batch that failed gets the error."""
    link = Link()
    link.errors[1] = away = ConnectionError("away")
    assert await answered(*ask(Batcher(link.send, most=10), 1, 2)) == [away, away]


async def test_error_of_one_batch_only() -> None:
    """An error of one batch is not the next one's, even if that one waited for it."""
    link = Link()
    link.errors[1] = away = ConnectionError("away")
    assert await answered(*ask(Batcher(link.send, most=1), 1, 2)) == [away, 4]


async def test_error_ends_nothing() -> None:
    """What is asked after a batch that failed is sent as usual."""
    link = Link()
    link.errors[1] = ConnectionError("away")
    batcher = Batcher(link.send, most=10)
    await answered(*ask(batcher, 1))
    assert await answered(*ask(batcher, 2)) == [4]


async def test_asker_that_leaves_hurts_nobody() -> None:
    """Somebody who stops waiting leaves the answers of the others as they are."""
    link = Link(opened=False)
    asking = ask(Batcher(link.send, most=10), 1, 2, 3)
    await until("the round trip is under way", lambda: bool(link.batches))
    asking[1].cancel()
    link.opened.set()
    outcomes = await answered(*asking)
    assert (outcomes[0], outcomes[2]) == (2, 6)


async def test_asker_that_leaves_before_sending() -> None:
    """The item of somebody who stopped waiting before it was sent is not sent any more."""
    link = Link(opened=False)
    batcher = Batcher(link.send, most=10)
    first = ask(batcher, 1)
    await until("the first round trip is under way", lambda: bool(link.batches))
    leaving, staying = ask(batcher, 2, 3)
    await asyncio.sleep(0)
    leaving.cancel()
    link.opened.set()
    await answered(*first, leaving, staying)
    assert link.batches == [[1], [3]]


@pytest.mark.parametrize("turns", [1, 3])
async def test_used_again(turns: int) -> None:
    """A batcher that fell idle starts again when asked."""
    link = Link()
    batcher = Batcher(link.send, most=10)
    for turn in range(turns):
        assert await answered(*ask(batcher, turn)) == [2 * turn]
    assert len(link.batches) == turns


async def test_what_failed_is_let_go() -> None:
    """What was in a batch that failed is freed with its last user, and does not wait for the collector of garbage."""

    class Request:
        pass

    async def fail(requests: Sequence[Request]) -> Sequence[None]:
        raise ConnectionError

    batcher: Batcher[Request, None] = Batcher(fail, most=10)
    request = Request()
    remembered = weakref.ref(request)
    gc.disable()
    try:
        result = batcher.put(request)
        del request
        await asyncio.wait([result])
        assert isinstance(result.exception(), ConnectionError)
        del result
        await until("it is freed", lambda: remembered() is None)
    finally:
        gc.enable()
