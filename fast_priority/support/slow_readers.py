"""Peers that read what they are sent too slowly: unsent bytes fill the memory of this process.

Only peers with unsent bytes in this process are watched: the buffers of the system are full then. One timer looks at
all of them once a second or more often. Each look asks the system how many bytes the peer has acknowledged. The system
itself takes bytes from this process in large steps, between which a slow peer would look like one that reads nothing.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import Callable

from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.stalls import ReadFirstTimer

_LONGEST_LOOK_SECONDS = 1.0
_SHORTEST_LOOK_SECONDS = 0.05
_LOOKS_WITHIN_A_TIMEOUT = 4
_MOST_LOOKS_COUNTED = 2
_IS_LINUX = sys.platform == "linux"
_BYTES_ACKED = struct.Struct("=120xQ")  # where struct tcp_info of linux/tcp.h has tcpi_bytes_acked


class Peer:
    """The peer of one connection. `expire` is called when it reads too slowly for its timeout."""

    def __init__(
        self, transport: asyncio.WriteTransport, timeout: RateTimeout, expire: Callable[[RateTimeout], object]
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._expire = expire
        self._counted_bytes = self._taken_bytes = self._waiting_bytes = 0

    @property
    def unsent_bytes(self) -> int:
        """Return how many bytes wait in this process."""
        return self._transport.get_write_buffer_size()

    def taken_bytes(self) -> int:
        """Return how many bytes the peer has taken since the connection began; never fewer than before.

        On Linux the kernel counts those that the peer has acknowledged. Elsewhere this counts what the kernel takes.
        """
        if acknowledged_bytes := self._acknowledged_bytes():
            self._taken_bytes = max(self._taken_bytes, acknowledged_bytes)
        else:
            waiting_bytes = self.unsent_bytes
            self._taken_bytes += abs(waiting_bytes - self._waiting_bytes)
            self._waiting_bytes = waiting_bytes
        return self._taken_bytes

    def is_too_slow(self, waited_seconds: float) -> bool:
        """Count how long this process has waited since the last look; return whether the timeout is over."""
        taken_bytes = self.taken_bytes()
        self._timeout.count(waited_seconds, taken_bytes - self._counted_bytes)
        self._counted_bytes = taken_bytes
        return self._timeout.is_over

    def expire(self) -> None:
        """Report that the timeout is over."""
        self._expire(self._timeout)

    def _acknowledged_bytes(self) -> int:
        """Return what the kernel has counted; 0 where it does not count."""
        if not _IS_LINUX:
            return 0
        try:
            connection = self._transport.get_extra_info("socket")
            tcp_info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
            acknowledged_bytes: int = _BYTES_ACKED.unpack(tcp_info)[0]
        except (OSError, AttributeError, struct.error):  # it is closed, or not TCP, or the kernel is an old one
            return 0
        return acknowledged_bytes


class SlowReaders:
    """Watches the peers with unsent bytes. `shortest_timeout_seconds` is that of the least patient of them."""

    def __init__(self, shortest_timeout_seconds: float) -> None:
        self._look_seconds = look_seconds(shortest_timeout_seconds)
        self._counted_until: dict[Peer, float] = {}
        self._timer = ReadFirstTimer(self._look)

    def __len__(self) -> int:
        return len(self._counted_until)

    def begin(self, peer: Peer) -> None:
        """Watch a peer that has unsent bytes; if it is watched already, do nothing. Must be called on the loop."""
        if peer not in self._counted_until:
            self._counted_until[peer] = self._timer.now()
            if not self._timer.is_running:
                self._timer.start(self._timer.now() + self._look_seconds)

    def end(self, peer: Peer) -> None:
        """Do not watch a peer: it has taken all, or its connection has ended. If it is not watched, do nothing."""
        self._counted_until.pop(peer, None)

    def _look(self, now: float) -> None:
        # If this process stood still, it has not sent what the peers could have read: that time does not count.
        most_seconds = _MOST_LOOKS_COUNTED * self._look_seconds
        too_slow = []
        for peer, counted_until in list(self._counted_until.items()):
            if not peer.unsent_bytes:
                del self._counted_until[peer]
            elif peer.is_too_slow(min(now - counted_until, most_seconds)):
                too_slow.append(peer)
            else:
                self._counted_until[peer] = now
        for peer in too_slow:
            self.end(peer)
            peer.expire()
        if self._counted_until and not self._timer.is_running:
            self._timer.start(now + self._look_seconds)


def look_seconds(timeout_seconds: float) -> float:
    """Return how often to look at what has this timeout: at least four times within it, if that is 0.2 s or longer."""
    return min(max(timeout_seconds / _LOOKS_WITHIN_A_TIMEOUT, _SHORTEST_LOOK_SECONDS), _LONGEST_LOOK_SECONDS)
