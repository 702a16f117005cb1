"""SlowReaders: peers with unsent bytes, on an event loop whose time the test sets."""

import asyncio
from collections.abc import Callable

import pytest

from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.slow_readers import Peer, SlowReaders, look_seconds

TIMEOUT_SECONDS = 15.0
LEAST_BYTES_PER_SECOND = 500


class FakePeer(Peer):
    """A peer that takes as many bytes as the test lets it, and has unsent bytes until the test changes that."""

    unsent_bytes = 1

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        timeout = RateTimeout(timeout_seconds, LEAST_BYTES_PER_SECOND)
        super().__init__(asyncio.WriteTransport(), timeout, lambda _: self.times_expired.append(1))
        self.times_expired: list[int] = []
        self.taken = 0

    def has_expired(self) -> bool:
        return bool(self.times_expired)

    def taken_bytes(self) -> int:
        return self.taken


class Watch:
    """Watches one peer, and counts the time of the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 1000.0
        self._timers: list[tuple[float, Callable[[], None]]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self._now)
        monkeypatch.setattr(loop, "call_at", self._call_at)
        self.readers = SlowReaders(TIMEOUT_SECONDS)
        self.peer = FakePeer()
        self.readers.begin(self.peer)

    @property
    def has_timer(self) -> bool:
        return bool(self._timers)

    def pass_seconds(self, seconds: int, bytes_a_second: int = 0, every_seconds: int = 1) -> None:
        """Let this time pass, in which the peer takes bytes now and then."""
        for second in range(1, seconds + 1):
            if second % every_seconds == 0:
                self.peer.taken += bytes_a_second * every_seconds
            self._pass_until(self._now + 1)

    def stand_still(self, seconds: float) -> None:
        """Let this time pass without running the loop."""
        self._now += seconds
        self._pass_until(self._now)

    def _pass_until(self, until: float) -> None:
        while due := sorted((timer for timer in self._timers if timer[0] <= until), key=lambda timer: timer[0]):
            self._timers.remove(due[0])
            self._now = max(self._now, due[0][0])
            due[0][1]()
        self._now = until

    def _call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        timer = (when, callback)
        self._timers.append(timer)

        class Handle:
            @staticmethod
            def cancel() -> None:
                self._timers.remove(timer)

        return Handle()  # type: ignore[return-value]


@pytest.fixture
async def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


async def test_a_peer_that_takes_nothing(watch: Watch) -> None:
    """It expires after its timeout, not before, and once."""
    watch.pass_seconds(14)
    assert not watch.peer.has_expired()
    watch.pass_seconds(1)
    assert watch.peer.has_expired()
    watch.pass_seconds(100)
    assert len(watch.peer.times_expired) == 1


@pytest.mark.parametrize(("bytes_a_second", "every_seconds"), [(500, 1), (1_000, 1), (500, 14), (10_000, 10)])
async def test_a_slow_but_steady_peer(watch: Watch, bytes_a_second: int, every_seconds: int) -> None:
    """A peer that takes 500 bytes a second, in steps of any length, never expires."""
    watch.pass_seconds(1_000, bytes_a_second, every_seconds)
    assert not watch.peer.has_expired()


@pytest.mark.parametrize("bytes_a_second", [1, 100, 450])
async def test_a_peer_that_is_too_slow(watch: Watch, bytes_a_second: int) -> None:
    """A peer that takes less expires in the end."""
    watch.pass_seconds(160, bytes_a_second)
    assert watch.peer.has_expired()


async def test_time_without_unsent_bytes(watch: Watch) -> None:
    """Time in which nothing waits for the peer does not count; the time used up before still does."""
    watch.pass_seconds(10)
    watch.readers.end(watch.peer)
    watch.pass_seconds(1_000)
    watch.readers.begin(watch.peer)
    watch.pass_seconds(4)
    assert not watch.peer.has_expired()
    watch.pass_seconds(1)
    assert watch.peer.has_expired()


async def test_a_peer_that_has_taken_all(watch: Watch) -> None:
    """A look at a peer without unsent bytes ends the watch, and the last watch ends the timer."""
    watch.pass_seconds(14)
    watch.peer.unsent_bytes = 0
    watch.pass_seconds(100)
    assert (watch.peer.has_expired(), len(watch.readers), watch.has_timer) == (False, 0, False)


async def test_bytes_taken_while_unwatched(watch: Watch) -> None:
    """Bytes that the peer took while it was not watched refill its timeout."""
    watch.pass_seconds(14)
    watch.readers.end(watch.peer)
    watch.peer.taken += 1_000_000
    watch.readers.begin(watch.peer)
    watch.pass_seconds(14)
    assert not watch.peer.has_expired()


async def test_beginning_twice(watch: Watch) -> None:
    """A peer gets no more time because it is sent more."""
    for _ in range(14):
        watch.pass_seconds(1)
        watch.readers.begin(watch.peer)
    watch.pass_seconds(1)
    assert watch.peer.has_expired()


async def test_a_process_that_stood_still(watch: Watch) -> None:
    """A look that comes minutes late counts no more than two looks in time."""
    watch.stand_still(300)
    watch.pass_seconds(12)
    assert not watch.peer.has_expired()
    watch.pass_seconds(3)
    assert watch.peer.has_expired()


async def test_each_peer_has_a_timeout_of_its_own(watch: Watch) -> None:
    """A peer that takes nothing expires beside one that goes on."""
    silent = FakePeer()
    watch.readers.begin(silent)
    watch.pass_seconds(20, bytes_a_second=1_000)
    assert (watch.peer.has_expired(), silent.has_expired(), len(watch.readers)) == (False, True, 1)


@pytest.mark.parametrize(("timeout_seconds", "every_seconds"), [(0.1, 0.05), (2.0, 0.5), (15.0, 1.0), (86_400.0, 1.0)])
def test_looks_are_as_frequent_as_the_timeout_is_short(timeout_seconds: float, every_seconds: float) -> None:
    """Four looks within a timeout, but at least one each second, and at most one each 50 ms."""
    assert look_seconds(timeout_seconds) == every_seconds


class Transport(asyncio.WriteTransport):
    """A transport whose socket the kernel counts nothing for."""

    waiting_bytes = 0

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes


def test_without_a_count_of_the_kernel() -> None:
    """Where the kernel does not count, bytes count as taken when they leave this process; the count never falls."""
    transport = Transport()
    peer = Peer(transport, RateTimeout(1, 1), lambda _: None)
    counts = []
    for waiting_bytes in (0, 100, 40, 40, 0):
        transport.waiting_bytes = waiting_bytes
        counts.append(peer.taken_bytes())
    assert counts == sorted(counts)
    assert counts[2] - counts[1] == 60
    assert counts[3] == counts[2]
