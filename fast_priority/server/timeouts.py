"""The timeouts of clients: for a head, for the next request, and for reading what they were sent.

A connection is in one of two queues at a time, or in none: in `head` while the client has to send the rest of a
request, in `idle` between two requests, in none while the gateway works. `slow_readers` is independent of both.
"""

from typing import Protocol, TypeAlias

from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.server.transport import ClientTransport
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.slow_readers import Peer, SlowReaders
from fast_priority.support.timeout_queue import TimeoutQueue


class Client(Protocol):
    """A client's connection, as the timeouts use it."""

    def __hash__(self) -> int:
        """Return the same number as long as the connection lasts."""

    def time_out(self) -> bool:
        """End the wait for the client, whose timeout has expired; return whether the connection is being closed."""


ConnectionQueue: TypeAlias = TimeoutQueue[Client]
"""Connections that may wait equally long for their clients."""


class ConnectionTimeouts:
    """The timeouts of all clients of one process, which has one event loop. Durations are in seconds."""

    def __init__(self, head_seconds: float, idle_seconds: float, read_seconds: float) -> None:
        self.head: ConnectionQueue = TimeoutQueue(head_seconds, lambda client: client.time_out())
        """For the rest of a head, or of a body that was answered before it was complete."""
        self.idle: ConnectionQueue = TimeoutQueue(idle_seconds, lambda client: client.time_out())
        """For the next request."""
        self.slow_readers = SlowReaders(read_seconds)
        """For reading a response, as long as some of it is in this process."""
        self._read_seconds = read_seconds

    def peer_of(self, transport: ClientTransport) -> Peer:
        """Return the client of a connection as `slow_readers` watches it; a client that is too slow is reset."""
        timeout = RateTimeout(self._read_seconds, LEAST_BYTES_PER_SECOND)
        return Peer(transport.underlying, timeout, transport.reset_slow_reader)

    def make_room(self) -> bool:
        """Close the connection that has been idle for longest. Return False if there is none, or it is idle no more."""
        oldest = self.idle.oldest
        if oldest is None:
            return False
        self.idle.end(oldest)
        return oldest.time_out()
