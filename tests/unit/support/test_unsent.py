"""How long bytes are kept for a peer that takes too little of them."""

import asyncio
from collections.abc import Callable

import pytest

from fast_priority.support.unsent import Unsent

PATIENCE_SECONDS = 15.0
LEAST_BYTES = 7500


class Peer:
    """A peer that takes what a test lets it take, on an event loop whose time a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting = 0
        self.times_given_up = 0
        self._now = 100.0
        self._timers: list[tuple[float, Callable[[], None]]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self._now)
        monkeypatch.setattr(loop, "call_at", self._call_at)
        self.unsent = Unsent(lambda: self.waiting, PATIENCE_SECONDS, LEAST_BYTES, self._give_up)

    def write(self, size_bytes: int, taken_at_once: int = 0) -> None:
        def send(data: bytes) -> None:
            self.waiting += len(data) - taken_at_once

        self.unsent.write(send, b"x" * size_bytes)

    def take(self, size_bytes: int) -> None:
        self.waiting -= size_bytes

    def pass_seconds(self, seconds: float) -> None:
        until = self._now + seconds
        while due := sorted((timer for timer in self._timers if timer[0] <= until), key=lambda timer: timer[0]):
            self._timers.remove(due[0])
            self._now = due[0][0]
            due[0][1]()
        self._now = until

    def is_given_up(self, times: int) -> bool:
        return self.times_given_up == times

    @property
    def is_looked_after(self) -> bool:
        return bool(self._timers)

    def _give_up(self) -> None:
        self.times_given_up += 1

    def _call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        timer = (when, callback)
        self._timers.append(timer)

        class Handle:
            @staticmethod
            def cancel() -> None:
                self._timers.remove(timer)

        return Handle()  # type: ignore[return-value]


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> Peer:
    return Peer(monkeypatch)


async def test_one_that_takes_nothing(peer: Peer) -> None:
    """It is reset after its time, and once."""
    peer.write(10)
    peer.pass_seconds(PATIENCE_SECONDS - 1)
    assert peer.is_given_up(0)
    peer.pass_seconds(100 * PATIENCE_SECONDS)
    assert peer.is_given_up(1)


async def test_one_that_takes_too_little(peer: Peer) -> None:
    """Less than the least is as good as nothing."""
    peer.write(1_000_000)
    peer.pass_seconds(1)
    peer.take(LEAST_BYTES - 1)
    peer.pass_seconds(PATIENCE_SECONDS)
    assert peer.is_given_up(1)


async def test_one_that_takes_enough(peer: Peer) -> None:
    """A slow peer is not reset, however long it takes for all."""
    peer.write(100 * LEAST_BYTES)
    for _ in range(99):
        peer.take(LEAST_BYTES)
        peer.pass_seconds(PATIENCE_SECONDS)
    assert peer.is_given_up(0)


async def test_one_that_stops_taking(peer: Peer) -> None:
    """What it took before does not count for later."""
    peer.write(1_000_000)
    peer.take(900_000)
    peer.pass_seconds(PATIENCE_SECONDS)
    assert peer.is_given_up(0)
    peer.pass_seconds(PATIENCE_SECONDS)
    assert peer.is_given_up(1)


async def test_one_for_which_nothing_waits(peer: Peer) -> None:
    """Without bytes that wait there is no limit, and no timer."""
    peer.write(1_000_000, taken_at_once=1_000_000)
    assert not peer.is_looked_after
    peer.write(10)
    peer.take(10)
    peer.pass_seconds(100 * PATIENCE_SECONDS)
    assert (peer.times_given_up, peer.is_looked_after) == (0, False)


async def test_little_now_and_then(peer: Peer) -> None:
    """A peer that takes all of each small message has its whole time for the next one."""
    for _ in range(100):
        peer.write(10)
        peer.pass_seconds(PATIENCE_SECONDS - 1)
        assert peer.is_given_up(0)
        peer.take(10)


async def test_more_is_written_while_some_waits(peer: Peer) -> None:
    """Writing more does not add time for a peer that takes nothing."""
    for _ in range(int(PATIENCE_SECONDS) + 1):
        peer.write(10)
        peer.pass_seconds(1)
    assert peer.is_given_up(1)


async def test_what_waited_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that wait when the looking begins are looked after, too."""
    given_up: list[bool] = []
    over = asyncio.Event()

    def give_up() -> None:
        given_up.append(True)
        over.set()

    Unsent(lambda: 10, 0.001, 1, give_up)
    async with asyncio.timeout(30):
        await over.wait()
    assert given_up == [True]


async def test_closed(peer: Peer) -> None:
    """After its end, no peer is reset."""
    peer.write(10)
    peer.unsent.close()
    peer.pass_seconds(100 * PATIENCE_SECONDS)
    assert (peer.times_given_up, peer.is_looked_after) == (0, False)
