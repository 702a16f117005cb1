"""A connection as two streams of bytes that nothing here interprets."""

import asyncio
import socket
import struct
import weakref
from collections.abc import Callable
from typing import cast

from fast_priority.errors import without_traces
from fast_priority.support.close_watcher import close_watcher_of
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.slow_readers import Peer, SlowReaders

PIECE_BYTES = 64 * 1024
_FLUSH_SECONDS = 5.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing a connection resets it."""


class ByteStream(asyncio.StreamReaderProtocol):
    """Both directions of one connection, each of which may end before the other.

    A reset is noticed even while nothing reads: then `was_reset` is set.
    """

    writer: asyncio.StreamWriter

    def __init__(self) -> None:
        self._of_loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=PIECE_BYTES, loop=self._of_loop)
        super().__init__(self.reader, loop=self._of_loop)
        self.was_reset = asyncio.Event()
        self._is_lost = asyncio.Event()
        self._fd = -1
        self._slow_readers: SlowReaders | None = None
        self._peer: Peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport of a connection that is open."""
        super().connection_made(transport)
        itself: ByteStream = weakref.proxy(self)  # a reference cycle otherwise (gc_tuning.py)
        self.writer = asyncio.StreamWriter(cast("asyncio.Transport", transport), itself, self.reader, self._of_loop)
        if (connection := transport.get_extra_info("socket")) is not None:
            self._fd = connection.fileno()
            # A peer whose machine is gone is silent like an idle one; with keep-alives the system finds out.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            close_watcher_of(self._of_loop).watch(self._fd, self._on_reset, resets_only=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended; `exc` is None if it ended in order."""
        close_watcher_of(self._of_loop).unwatch(self._fd)
        self._is_lost.set()
        if self._slow_readers is not None:
            self._slow_readers.end(self._peer)
        if exc is not None:
            self.was_reset.set()
        elif self.was_reset.is_set():
            exc = ConnectionResetError("reset by the peer")  # our own abort would look like an end in order
        super().connection_lost(exc)

    def _on_reset(self) -> None:
        self.was_reset.set()
        self.writer.transport.abort()

    def time_out_reader(self, slow_readers: SlowReaders, timeout: RateTimeout, expire: Callable[[], object]) -> None:
        """Call `expire` when the peer reads too slowly for this timeout, from now on."""
        self._slow_readers = slow_readers
        self._peer = Peer(self.writer.transport, timeout, lambda _: expire())
        if self.unsent_bytes:
            slow_readers.begin(self._peer)

    def write(self, data: bytes) -> None:
        """Send these bytes."""
        self.writer.write(data)
        if self._slow_readers is not None and self.unsent_bytes:
            self._slow_readers.begin(self._peer)

    def reset(self) -> None:
        """Close the connection at once, so that the peer sees that it did not end in order."""
        if (failure := self.reader.exception()) is not None:
            without_traces(failure)  # they refer to the reader: a reference cycle (gc_tuning.py)
        if not self._is_lost.is_set():
            connection = self.writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.writer.transport.abort()

    @property
    def unsent_bytes(self) -> int:
        """Return how many bytes wait in this process until the peer reads."""
        return 0 if self._is_lost.is_set() else self.writer.transport.get_write_buffer_size()

    def end(self) -> None:
        """Close the connection now, or reset it if some bytes are unsent."""
        if self.unsent_bytes:
            self.reset()
        else:
            self.writer.close()

    async def close(self) -> None:
        """Close the connection when all bytes are sent, or reset it after 5 s."""
        self.writer.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._is_lost.wait()
        except TimeoutError:
            self.reset()


async def pump(source: ByteStream, sink: ByteStream) -> None:
    """Copy bytes from one stream to the other, no faster than the other's peer reads, and then the end of the stream.

    Raises OSError when either connection breaks.
    """
    while data := await source.reader.read(PIECE_BYTES):
        sink.write(data)
        await sink.writer.drain()
    if sink.writer.can_write_eof():
        sink.writer.write_eof()
    else:
        sink.writer.close()  # TLS ends both directions at once
