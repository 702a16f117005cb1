"""TimeoutQueue: timeouts of equal length for many keys, with one timer."""

import asyncio

import pytest

from fast_priority.support.timeout_queue import TimeoutQueue

PATIENCE_SECONDS = 10.0


class Expired:
    """The keys that have expired, in order."""

    def __init__(self, most: int) -> None:
        self.keys: list[str] = []
        self._most = most
        self.are_all = asyncio.Event()

    def __call__(self, key: str) -> None:
        """Note a key."""
        self.keys.append(key)
        if len(self.keys) == self._most:
            self.are_all.set()

    async def wait(self) -> None:
        """Return when as many keys have expired as are waited for."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.are_all.wait()


async def test_each_key_expires_once_and_in_order() -> None:
    """Every key expires once, in the order in which they began."""
    expired = Expired(most=3)
    queue: TimeoutQueue[str] = TimeoutQueue(0.01, expired)
    for key in ("a", "b"):
        queue.begin(key)
    assert queue.oldest == "a"
    await asyncio.sleep(0)
    queue.begin("c")
    await expired.wait()
    assert expired.keys == ["a", "b", "c"]
    assert len(queue) == 0
    assert queue.oldest is None


async def test_a_key_that_ended_does_not_expire() -> None:
    """A key that ended in time does not expire, and the keys that began later still do."""
    expired = Expired(most=1)
    queue: TimeoutQueue[str] = TimeoutQueue(0.01, expired)
    queue.begin("ended")
    queue.begin("left")
    queue.end("ended")
    await expired.wait()
    assert expired.keys == ["left"]


async def test_a_key_may_begin_again() -> None:
    """A key that begins again has the whole time again, behind those that began before."""
    expired = Expired(most=2)
    queue: TimeoutQueue[str] = TimeoutQueue(0.01, expired)
    for key in ("again", "once", "again"):
        queue.begin(key)
    await expired.wait()
    assert expired.keys == ["once", "again"]


async def test_an_expired_key_may_begin_another() -> None:
    """A key may begin while another one expires."""
    expired = Expired(most=2)

    def expire(key: str) -> None:
        expired(key)
        if key == "first":
            queue.begin("second")

    queue: TimeoutQueue[str] = TimeoutQueue(0.0, expire)
    queue.begin("first")
    await expired.wait()
    assert expired.keys == ["first", "second"]


async def test_an_expired_key_may_end_another() -> None:
    """A key that ends while another one expires does not expire itself, though its time is over."""
    expired = Expired(most=2)

    def expire(key: str) -> None:
        expired(key)
        queue.end("ended")

    queue: TimeoutQueue[str] = TimeoutQueue(0.0, expire)
    for key in ("first", "ended", "last"):
        queue.begin(key)
    await expired.wait()
    assert expired.keys == ["first", "last"]


async def test_shortened() -> None:
    """Shortened, the keys that wait and those that begin later expire after the new time."""
    expired = Expired(most=2)
    queue: TimeoutQueue[str] = TimeoutQueue(1000.0, expired)
    queue.begin("before")
    queue.shorten(0.01)
    queue.begin("after")
    await expired.wait()
    assert expired.keys == ["before", "after"]


@pytest.mark.parametrize("seconds", [1.0, 2000.0])
def test_shortening_makes_nothing_longer(seconds: float) -> None:
    """A queue is never made longer, also one in which no key has ever begun."""
    queue: TimeoutQueue[str] = TimeoutQueue(1000.0, Expired(most=1))
    queue.shorten(seconds)
    assert queue.seconds == min(seconds, 1000.0)


async def test_closed() -> None:
    """In a closed queue nothing expires."""
    closed, open_ = Expired(most=1), Expired(most=1)
    queue: TimeoutQueue[str] = TimeoutQueue(0.0, closed)
    queue.begin("closed")
    queue.close()
    TimeoutQueue(0.0, open_).begin("later")
    await open_.wait()
    assert closed.keys == []


def test_ending_a_key_that_never_began() -> None:
    """A key that never began may end."""
    TimeoutQueue(1.0, Expired(most=1)).end("nothing")


async def test_a_key_that_fails_fails_alone() -> None:
    """An error in the callback of one key does not keep the others from expiring."""
    expired = Expired(most=1)

    def expire(key: str) -> None:
        if key == "bad":
            raise ValueError(key)
        expired(key)

    queue: TimeoutQueue[str] = TimeoutQueue(0.0, expire)
    queue.begin("bad")
    queue.begin("good")
    await expired.wait()
    assert expired.keys == ["good"]
