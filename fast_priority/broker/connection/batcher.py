"""Many small items of one event-loop turn, sent in one round trip."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from fast_priority.support.background import end_all

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Collects items while a round trip is running, and sends them in the next one.

    `send` takes a batch and returns one result for each item, in order. If it raises, every item of the batch gets the
    error. A batch has at most `most` items, and gets no more items once it weighs `most_weight` by `weigh`. To add an
    item and to take one back are O(1): while Redis hangs, thousands wait here and leave one after the other.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        most: int,
        *,
        weigh: Callable[[Item], int] = lambda _: 0,
        most_weight: int = 1,
    ) -> None:
        self._send = send
        self._most = most
        self._weigh = weigh
        self._most_weight = most_weight
        # Ordered, not a plain dictionary: that looks at all removed entries again to find its first one.
        self._waiting: OrderedDict[asyncio.Future[Result], Item] = OrderedDict()
        self._sending: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # kept, because asyncio looks up a process id for each call

    async def ask(self, item: Item) -> Result:
        """Send the item with the next batch and return its result. If cancelled before that, it is never sent."""
        return await self.put(item)

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Send the item with the next batch. Return the future of its result."""
        self._loop = self._loop or asyncio.get_running_loop()
        result: asyncio.Future[Result] = self._loop.create_future()
        self._waiting[result] = item
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return result

    def take_back(self, result: asyncio.Future[Result]) -> bool:
        """Remove the item with this future if it is not sent yet. Return whether it was removed."""
        if result not in self._waiting:
            return False
        del self._waiting[result]
        return True

    def take_all_back(self, result: Result) -> list[Item]:
        """Remove all items that are not sent yet, and give them this result. Return them."""
        taken, self._waiting = self._waiting, OrderedDict()
        for future in taken:
            if not future.done():
                future.set_result(result)
        return list(taken.values())

    async def close(self) -> None:
        """Send no more, and cancel the round trip that is running."""
        taken, self._waiting = self._waiting, OrderedDict()
        for future in taken:
            future.cancel()
        if self._sending is not None:
            await end_all([self._sending])

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                if batch := self._next_batch():
                    await self._send_one(batch)
        finally:
            self._sending = None

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        weight = 0
        while self._waiting and len(batch) < self._most and weight < self._most_weight:
            result, item = self._waiting.popitem(last=False)
            if not result.done():
                batch.append((item, result))
                weight += self._weigh(item)
        return batch

    async def _send_one(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            answers = await self._send([item for item, _ in batch])
            for (_, result), answer in zip(batch, answers, strict=True):
                if not result.done():
                    result.set_result(answer)
        except BaseException as error:
            _fail(batch, error)
            # The error refers to the frame of this call, and the results to the error: without this, a reference cycle.
            batch.clear()
            if not isinstance(error, Exception):
                raise


def _fail(batch: list[tuple[Any, asyncio.Future[Any]]], error: BaseException) -> None:
    for _, result in batch:
        if isinstance(error, Exception) and not result.done():
            result.set_exception(error)
        result.cancel()  # does nothing to those that are done
