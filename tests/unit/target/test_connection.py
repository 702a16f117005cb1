"""How long the target may be silent."""

import asyncio

from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.connection import InactivityTimer


class Waiting:
    """Requests that note, in order, whose patience was lost."""

    def __init__(self) -> None:
        self.clock = TimeoutQueue(0.05, InactivityTimer.expire)
        self._lost: asyncio.Queue[str] = asyncio.Queue()

    def patience(self, name: str) -> InactivityTimer:
        return InactivityTimer(self.clock, lambda _: self._lost.put_nowait(name))

    async def next_lost(self) -> str:
        async with asyncio.timeout(10):
            return await self._lost.get()

    def none_is_lost(self) -> bool:
        return self._lost.empty()


async def test_who_began_first_loses_patience_first() -> None:
    """Each that waits loses patience, once, in the order in which they began; also after nobody had waited."""
    waiting = Waiting()
    for names in ("ab", "c"):
        for name in names:
            waiting.patience(name).wait_for_target(True)
        assert [await waiting.next_lost() for _ in names] == list(names)
    assert waiting.none_is_lost()


async def test_waiting_anew_gives_the_whole_time_again() -> None:
    """Who begins to wait once more is overdue as if it had begun only then."""
    waiting = Waiting()
    first, second = waiting.patience("first"), waiting.patience("second")
    first.wait_for_target(True)
    second.wait_for_target(True)
    first.wait_for_target(True)
    assert [await waiting.next_lost(), await waiting.next_lost()] == ["second", "first"]


async def test_who_does_not_wait_loses_no_patience() -> None:
    """Time counts only while the target is awaited, and does not itself wait for a body."""
    waiting = Waiting()
    answered, uploading = waiting.patience("answered"), waiting.patience("uploading")
    answered.wait_for_target(True)
    answered.wait_for_target(False)
    uploading.wait_for_target(True)
    uploading.wait_for_body(True)
    waiting.patience("silent").wait_for_target(True)
    assert await waiting.next_lost() == "silent"
    assert waiting.none_is_lost()
    uploading.wait_for_body(False)
    assert await waiting.next_lost() == "uploading"


async def test_nobody_is_told_after_the_end() -> None:
    """A clock that is closed lets nobody lose patience any more."""
    waiting, other = Waiting(), Waiting()
    waiting.patience("late").wait_for_target(True)
    waiting.clock.close()
    other.patience("other").wait_for_target(True)
    await other.next_lost()
    assert waiting.none_is_lost()
