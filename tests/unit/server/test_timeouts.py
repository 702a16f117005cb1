"""ConnectionTimeouts: the queues in which connections wait for their clients."""

import asyncio
import time

from fast_priority.server.timeouts import ConnectionQueue, ConnectionTimeouts
from tests.unit.broker_rig import until


class Client:
    """A connection that is closed when its time is over, unless a request has just come on it."""

    def __init__(self, *, has_just_sent: bool = False) -> None:
        self.times_expired = 0
        self._has_just_sent = has_just_sent

    def time_out(self) -> bool:
        self.times_expired += 1
        return not self._has_just_sent


def timeouts_of(head_seconds: float = 60) -> ConnectionTimeouts:
    return ConnectionTimeouts(head_seconds, idle_seconds=60, read_seconds=60)


def waiting(queue: ConnectionQueue, **client: bool) -> Client:
    """Return a client that waits in this queue."""
    made = Client(**client)
    queue.begin(made)
    return made


async def test_a_connection_expires_once_and_in_its_queue() -> None:
    """A connection whose time is over is closed once; one that waits in another queue is not."""
    timeouts = timeouts_of(head_seconds=0.1)
    idle, slow = waiting(timeouts.idle), waiting(timeouts.head)
    await until("its time is over", lambda: slow.times_expired > 0)
    assert (idle.times_expired, slow.times_expired, len(timeouts.head)) == (0, 1, 0)


async def test_the_longest_idle_connection_makes_room() -> None:
    """Room is made by the connection that has been idle for longest, and by none that is not idle."""
    timeouts = timeouts_of()
    busy = waiting(timeouts.head)
    assert not timeouts.make_room()
    oldest, newest = waiting(timeouts.idle), waiting(timeouts.idle)
    assert timeouts.make_room()
    assert [client.times_expired for client in (busy, oldest, newest)] == [0, 1, 0]


async def test_a_connection_with_a_new_request_makes_no_room() -> None:
    """A connection on which a request has just come is kept."""
    timeouts = timeouts_of()
    waiting(timeouts.idle, has_just_sent=True)
    assert not timeouts.make_room()


async def test_a_process_that_stood_still_reads_first() -> None:
    """What a client has sent while this process stood still is read before its timeout counts."""
    timeouts = timeouts_of(head_seconds=0.2)
    in_time, too_late = waiting(timeouts.head), waiting(timeouts.head)
    asyncio.get_running_loop().call_later(0.3, timeouts.head.end, in_time)  # as the loop reads, when it goes on
    time.sleep(0.6)  # noqa: ASYNC251 - as a frozen process
    await until("the time of the other is over", lambda: too_late.times_expired > 0)
    assert in_time.times_expired == 0
