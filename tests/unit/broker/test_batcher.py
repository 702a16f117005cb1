"""Many small items in few round trips."""

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest

from fast_priority.broker.connection import Batcher, batcher
from tests.unit.broker_rig import PATIENCE_SECONDS, until


class Link:
    """The other end: it doubles what it receives, and delays the first batch until it is `opened`."""

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
    """Items of one event-loop turn are sent together, in order."""
    link = Link()
    asking = ask(Batcher(link.send, most=10), 1, 2, 3)
    assert await answered(*asking) == [2, 4, 6]
    assert link.batches == [[1, 2, 3]]


async def test_items_during_a_round_trip() -> None:
    """Items that come during a round trip wait for the next one, and are sent together in it."""
    link = Link(opened=False)
    batcher = Batcher(link.send, most=10)
    first = ask(batcher, 1)
    await until("the first round trip is running", lambda: link.batches == [[1]])
    later = ask(batcher, 2, 3)
    await asyncio.sleep(0)
    link.opened.set()
    assert await answered(*first, *later) == [2, 4, 6]
    assert link.batches == [[1], [2, 3]]


async def test_most_items() -> None:
    """No round trip carries more items than the limit."""
    link = Link()
    asking = ask(Batcher(link.send, most=2), 1, 2, 3, 4, 5)
    assert await answered(*asking) == [2, 4, 6, 8, 10]
    assert link.batches == [[1, 2], [3, 4], [5]]


async def test_error_reaches_all() -> None:
    """Every item of a batch that failed gets the error."""
    link = Link()
    link.errors[1] = away = ConnectionError("away")
    assert await answered(*ask(Batcher(link.send, most=10), 1, 2)) == [away, away]


async def test_error_of_one_batch_only() -> None:
    """The error of one batch does not reach the next one, even if that waited for it."""
    link = Link()
    link.errors[1] = away = ConnectionError("away")
    assert await answered(*ask(Batcher(link.send, most=1), 1, 2)) == [away, 4]


async def test_a_batch_after_an_error() -> None:
    """A batch after one that failed is sent as usual."""
    link = Link()
    link.errors[1] = ConnectionError("away")
    batcher = Batcher(link.send, most=10)
    await answered(*ask(batcher, 1))
    assert await answered(*ask(batcher, 2)) == [4]


async def test_a_caller_that_cancels() -> None:
    """A caller that stops waiting does not change the results of the others."""
    link = Link(opened=False)
    asking = ask(Batcher(link.send, most=10), 1, 2, 3)
    await until("the round trip is running", lambda: bool(link.batches))
    asking[1].cancel()
    link.opened.set()
    outcomes = await answered(*asking)
    assert (outcomes[0], outcomes[2]) == (2, 6)


async def test_a_caller_that_cancels_before_sending() -> None:
    """The item of a caller that stopped waiting before it was sent is never sent."""
    link = Link(opened=False)
    batcher = Batcher(link.send, most=10)
    first = ask(batcher, 1)
    await until("the first round trip is running", lambda: bool(link.batches))
    leaving, staying = ask(batcher, 2, 3)
    await asyncio.sleep(0)
    leaving.cancel()
    link.opened.set()
    await answered(*first, leaving, staying)
    assert link.batches == [[1], [3]]


@pytest.mark.parametrize("turns", [1, 3])
async def test_used_again(turns: int) -> None:
    """An idle batcher starts again with the next item."""
    link = Link()
    batcher = Batcher(link.send, most=10)
    for turn in range(turns):
        assert await answered(*ask(batcher, turn)) == [2 * turn]
    assert len(link.batches) == turns


async def test_a_failed_batch_is_freed() -> None:
    """The items of a failed batch are freed with their last user, without the garbage collector."""

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


def _steps(work: Callable[[], object]) -> int:
    """Return how many instructions of the Batcher's module run in `work`."""
    counted = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal counted
        if frame.f_code.co_filename != batcher.__file__:
            return None
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.parametrize("position", ["first", "middle", "last"])
async def test_taking_back_among_many(position: str) -> None:
    """To take an item back costs the same, however many wait: all clients of a Redis that hangs leave in turn."""
    steps = []
    for waiting in (10, 3000):
        batches: Batcher[int, int] = Batcher(Link(opened=False).send, most=2)
        results = [batches.put(item) for item in range(waiting)]
        taken = results[{"first": 0, "middle": waiting // 2, "last": -1}[position]]
        steps.append(_steps(lambda batches=batches, taken=taken: batches.take_back(taken)))  # type: ignore[misc]
        await batches.close()
    assert 0 < steps[1] <= 2 * steps[0]


async def test_a_batch_after_items_were_taken_back() -> None:
    """Items that were taken back are not sent, and the others are sent in their order."""
    link = Link()
    batches: Batcher[int, int] = Batcher(link.send, most=3)
    results = [batches.put(item) for item in range(6)]
    assert [batches.take_back(results[index]) for index in (0, 3, 3)] == [True, True, False]
    await answered(*(asyncio.ensure_future(results[index]) for index in (1, 2, 4, 5)))  # type: ignore[arg-type]
    assert link.batches == [[1, 2, 4], [5]]
