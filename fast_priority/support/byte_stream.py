"""A connection as two streams of bytes, when no protocol is to be understood in them."""

import asyncio
import socket
import struct
import weakref
from typing import cast

from fast_priority.errors import without_traces
from fast_priority.support.hangups import close_watcher_of
from fast_priority.support.unsent import Unsent

PIECE_BYTES = 64 * 1024
_FLUSH_SECONDS = 5.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing a connection resets it."""


class ByteStream(asyncio.StreamReaderProtocol):
    """Both directions of one connection, each of which may end before the other.

    A reset is noticed even while nobody reads: `was_reset` is set then.
    """

    writer: asyncio.StreamWriter

    def __init__(self) -> None:
        self._of_loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=PIECE_BYTES, loop=self._of_loop)
        super().__init__(self.reader, loop=self._of_loop)
        self.was_reset = asyncio.Event()
        self._is_lost = asyncio.Event()
        self._fd = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        super().connection_made(transport)
        # It refers to this weakly, or each connection that has ended would leave a reference cycle.
        itself: ByteStream = weakref.proxy(self)
        self.writer = asyncio.StreamWriter(cast("asyncio.Transport", transport), itself, self.reader, self._of_loop)
        if (connection := transport.get_extra_info("socket")) is not None:
            self._fd = connection.fileno()
            # A peer whose machine is gone says nothing; its silence is told from an idle one's by the system.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            close_watcher_of(self._of_loop).watch(self._fd, self._on_reset, resets_only=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        close_watcher_of(self._of_loop).unwatch(self._fd)
        self._is_lost.set()
        if exc is not None:
            self.was_reset.set()
        elif self.was_reset.is_set():
            exc = ConnectionResetError("reset by the peer")  # and not an end, for which our own closing would pass
        super().connection_lost(exc)

    def _on_reset(self) -> None:
        self.was_reset.set()
        self.writer.transport.abort()

    def reset(self) -> None:
        """End it at once, so that the peer sees that it did not end well."""
        if (failure := self.reader.exception()) is not None:
            without_traces(failure)  # they refer to the reader, and so back to this
        if not self._is_lost.is_set():
            connection = self.writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.writer.transport.abort()

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait in this process for the peer to take them."""
        return 0 if self._is_lost.is_set() else self.writer.transport.get_write_buffer_size()

    def end(self) -> None:
        """End it now: close it, or reset it if the peer has not taken all."""
        if self.unsent_bytes:
            self.reset()
        else:
            self.writer.close()

    async def close(self) -> None:
        """End it when all is sent, or after 5 s."""
        self.writer.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._is_lost.wait()
        except TimeoutError:
            self.reset()


async def pump(source: ByteStream, sink: ByteStream, unsent: Unsent) -> None:
    """Carry what comes from one stream to the other, no faster than that takes it, and then the end, too.

    `unsent` looks after what the sink has not taken. Raises OSError when either breaks off.
    """
    while data := await source.reader.read(PIECE_BYTES):
        unsent.write(sink.writer.write, data)
        await sink.writer.drain()
    if sink.writer.can_write_eof():
        sink.writer.write_eof()
    else:
        sink.writer.close()  # TLS ends both directions at once
