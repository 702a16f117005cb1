"""How long clients may keep the gateway waiting, told by clocks."""

import asyncio
import time

import pytest

from fast_priority.server.timeouts import Clock, ConnectionTimeouts, Wait
from tests.unit.broker_rig import until


class Client:
    """A connection that is closed when its time is over, unless it has sent something just then."""

    def __init__(self, clocks: ConnectionTimeouts, *, has_just_sent: bool = False) -> None:
        self.lost_by: list[Clock] = []
        self.wait = Wait(self, clocks, asyncio.get_running_loop())
        self._has_just_sent = has_just_sent

    def lose_patience(self, clock: Clock) -> None:
        self.lost_by.append(clock)
        self.wait.by(clock) if self._has_just_sent else self.wait.close()


@pytest.fixture
async def clocks() -> ConnectionTimeouts:
    return ConnectionTimeouts(head_seconds=60, idle_seconds=60, taking_seconds=60)


async def test_who_began_first_is_overdue_first(clocks: ConnectionTimeouts) -> None:
    """Of those that wait, exactly those are overdue that have waited as long as they may, in order."""
    waits = [Client(clocks).wait for _ in range(3)]
    clock = Clock(10)
    for second, wait in enumerate(waits):
        clock.begin(wait, second)
    assert clock.overdue(9.9) == []
    assert clock.overdue(11.5) == waits[:2]


async def test_a_wait_that_goes_on_does_not_begin_anew(clocks: ConnectionTimeouts) -> None:
    """To wait by the same clock again gives no more time: whoever sends a byte now and then is overdue all the same."""
    first, second = Client(clocks).wait, Client(clocks).wait
    first.by(clocks.head)
    second.by(clocks.head)
    first.by(clocks.head)
    assert clocks.head.oldest() is first


async def test_a_wait_is_by_one_clock(clocks: ConnectionTimeouts) -> None:
    """Whoever waits by another clock, or by none, waits by the first no longer."""
    wait = Client(clocks).wait
    wait.by(clocks.head)
    wait.by(clocks.idle)
    assert (len(clocks.head), len(clocks.idle)) == (0, 1)
    wait.by(None)
    assert len(clocks.idle) == 0


async def test_a_wait_that_has_ended_begins_no_more(clocks: ConnectionTimeouts) -> None:
    """Of a connection that has ended nothing is awaited, even if somebody closes it once more."""
    wait = Client(clocks).wait
    wait.by(clocks.head)
    wait.end()
    wait.by(clocks.idle)
    assert (len(clocks.head), len(clocks.idle)) == (0, 0)


async def test_patience_is_lost_once() -> None:
    """A connection whose time is over is told so, once, and by which clock."""
    clocks = ConnectionTimeouts(head_seconds=0.1, idle_seconds=60, taking_seconds=60)
    client, patient = Client(clocks), Client(clocks)
    patient.wait.by(clocks.idle)
    client.wait.by(clocks.head)
    await until("its time is over", lambda: bool(client.lost_by))
    assert (client.lost_by, patient.lost_by) == ([clocks.head], [])
    assert len(clocks.head) == 0


async def test_room_is_made_by_who_is_idle_for_longest(clocks: ConnectionTimeouts) -> None:
    """Room is made by the connection that has been idle for longest, and by none that is not idle."""
    busy, oldest, newest = Client(clocks), Client(clocks), Client(clocks)
    busy.wait.by(clocks.head)
    assert not clocks.make_room()
    oldest.wait.by(clocks.idle)
    newest.wait.by(clocks.idle)
    assert clocks.make_room()
    assert (busy.lost_by, oldest.lost_by, newest.lost_by) == ([], [clocks.idle], [])


async def test_who_has_just_sent_makes_no_room(clocks: ConnectionTimeouts) -> None:
    """A connection on which a request has just come is kept."""
    client = Client(clocks, has_just_sent=True)
    client.wait.by(clocks.idle)
    assert not clocks.make_room()
    assert len(clocks.idle) == 1


async def test_the_idle_can_be_hurried(clocks: ConnectionTimeouts) -> None:
    """Hurried, those that are idle already have the new time from now on, and those that follow have it, too."""
    before, after = Client(clocks), Client(clocks)
    before.wait.by(clocks.idle)
    clocks.hurry_idle(0.1)
    assert before.lost_by == []
    after.wait.by(clocks.idle)
    await until("their time is over", lambda: bool(before.lost_by and after.lost_by))


async def test_a_process_that_stood_still_reads_first() -> None:
    """What a client has sent while this process stood still is read before its time counts as over."""
    clocks = ConnectionTimeouts(head_seconds=0.2, idle_seconds=60, taking_seconds=60)
    in_time, too_late = Client(clocks), Client(clocks)
    in_time.wait.by(clocks.head)
    too_late.wait.by(clocks.head)
    asyncio.get_running_loop().call_later(0.3, in_time.wait.by, None)  # as the loop reads, when it goes on
    time.sleep(0.6)  # noqa: ASYNC251 - as a frozen process
    await until("the time of the other is over", lambda: bool(too_late.lost_by))
    assert in_time.lost_by == []
