"""The inactivity timeout of the target."""

import asyncio

from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.connection import InactivityTimer


class Timers:
    """The timers of several requests, and the names of those that expired, in order."""

    def __init__(self) -> None:
        self.timeouts = TimeoutQueue(0.05, InactivityTimer.expire)
        self._expired: asyncio.Queue[str] = asyncio.Queue()

    def timer(self, name: str) -> InactivityTimer:
        return InactivityTimer(self.timeouts, lambda _: self._expired.put_nowait(name))

    async def next_expired(self) -> str:
        async with asyncio.timeout(10):
            return await self._expired.get()

    def none_has_expired(self) -> bool:
        return self._expired.empty()


async def test_timers_expire_in_order() -> None:
    """Timers expire once each, in the order in which they began, also after a time without any."""
    timers = Timers()
    for names in ("ab", "c"):
        for name in names:
            timers.timer(name).wait_for_target(True)
        assert [await timers.next_expired() for _ in names] == list(names)
    assert timers.none_has_expired()


async def test_a_new_wait_has_the_whole_time() -> None:
    """A timer that begins again expires as if it had begun only then."""
    timers = Timers()
    first, second = timers.timer("first"), timers.timer("second")
    first.wait_for_target(True)
    second.wait_for_target(True)
    first.wait_for_target(True)
    assert [await timers.next_expired(), await timers.next_expired()] == ["second", "first"]


async def test_time_without_a_wait_does_not_count() -> None:
    """Time counts only while the target is awaited, and does not itself wait for a body."""
    timers = Timers()
    answered, uploading = timers.timer("answered"), timers.timer("uploading")
    answered.wait_for_target(True)
    answered.wait_for_target(False)
    uploading.wait_for_target(True)
    uploading.wait_for_body(True)
    timers.timer("silent").wait_for_target(True)
    assert await timers.next_expired() == "silent"
    assert timers.none_has_expired()
    uploading.wait_for_body(False)
    assert await timers.next_expired() == "uploading"


async def test_no_timer_expires_after_the_end() -> None:
    """Once its timeouts are closed, no timer expires."""
    timers, others = Timers(), Timers()
    timers.timer("late").wait_for_target(True)
    timers.timeouts.close()
    others.timer("other").wait_for_target(True)
    await others.next_expired()
    assert timers.none_has_expired()
