"""Clients that have yet to take what they were sent, by a clock of the test's own."""

import pytest

from fast_priority.http.client_patience import ClientTimeout
from fast_priority.server.slow_readers import SlowReaders, Taking, look_seconds


class Client:
    """A connection whose client takes as many bytes as the test lets it."""

    def __init__(self) -> None:
        self.taken = 0
        self.was_reset = False

    def taken_bytes(self) -> int:
        return self.taken

    def reset(self) -> None:
        self.was_reset = True


class Watch:
    """SlowReaders with one client, looked at every second."""

    def __init__(self, patience_seconds: float = 15.0) -> None:
        self.now = 1000.0
        self.takers = SlowReaders(patience_seconds)
        self.client = Client()
        self.taking = Taking(self.client, ClientTimeout(patience_seconds))
        self.takers.begin(self.taking, self.now)

    def look_for(self, seconds: int, bytes_a_second: int = 0, every_seconds: int = 1) -> bool:
        """Look each second, while the client takes bytes; return whether its patience was over at any look."""
        was_over = False
        for second in range(1, seconds + 1):
            self.now += 1
            if second % every_seconds == 0:
                self.client.taken += bytes_a_second * every_seconds
            was_over |= self.takers.overdue(self.now) == [self.taking]
        return was_over


def test_who_takes_nothing_is_overdue() -> None:
    """A client that takes nothing is overdue after its patience, and not before."""
    watch = Watch()
    assert not watch.look_for(14)
    assert watch.look_for(1)
    watch.taking.run_out()
    assert watch.client.was_reset


@pytest.mark.parametrize(("bytes_a_second", "every_seconds"), [(500, 1), (1_000, 1), (500, 14), (10_000, 10)])
def test_who_takes_slowly_is_not(bytes_a_second: int, every_seconds: int) -> None:
    """A client that takes 500 bytes a second, in whatever steps its system does, is never overdue."""
    assert not Watch().look_for(1_000, bytes_a_second, every_seconds)


@pytest.mark.parametrize("bytes_a_second", [1, 100, 450])
def test_who_takes_too_slowly_is(bytes_a_second: int) -> None:
    """A client that takes less is overdue in the end."""
    assert Watch().look_for(160, bytes_a_second)


def test_who_has_taken_all_is_not_waited_for() -> None:
    """Time in which there is nothing to take does not count; what was used up before still does."""
    watch = Watch()
    assert not watch.look_for(10)
    watch.takers.end(watch.taking)
    assert not watch.look_for(1_000)
    watch.takers.begin(watch.taking, watch.now)
    assert not watch.look_for(4)
    assert watch.look_for(1)


def test_what_was_taken_meanwhile_counts() -> None:
    """Bytes that were taken while nobody looked refill the patience."""
    watch = Watch()
    watch.look_for(14)
    watch.takers.end(watch.taking)
    watch.client.taken += 1_000_000
    watch.takers.begin(watch.taking, watch.now)
    assert not watch.look_for(14)


def test_to_begin_twice_changes_nothing() -> None:
    """A client that is waited for has no more time because it is sent more."""
    watch = Watch()
    for _ in range(14):
        watch.look_for(1)
        watch.takers.begin(watch.taking, watch.now)
    assert watch.look_for(1)


def test_a_process_that_stood_still_is_not_the_clients_fault() -> None:
    """A look that comes minutes late counts no more than two of those that come in time."""
    watch = Watch()
    watch.now += 300
    assert watch.takers.overdue(watch.now) == []
    assert not watch.look_for(12)
    assert watch.look_for(1)


def test_each_client_has_a_patience_of_its_own() -> None:
    """One that takes nothing is overdue beside one that does."""
    watch = Watch()
    other = Client()
    watch.takers.begin(Taking(other, ClientTimeout(15.0)), watch.now)
    assert watch.look_for(20, bytes_a_second=1_000) is False
    assert len(watch.takers) == 2


@pytest.mark.parametrize(("wait_seconds", "every_seconds"), [(0.1, 0.05), (2.0, 0.5), (15.0, 1.0), (86_400.0, 1.0)])
def test_looks_are_as_frequent_as_patience_is_short(wait_seconds: float, every_seconds: float) -> None:
    """Four looks within a wait, but at least one each second, and at most one each 50 ms."""
    assert look_seconds(wait_seconds) == every_seconds
