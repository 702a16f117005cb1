"""A client's connection below HTTP: closing it so that the last words are heard, and noticing that it is closed.

RFC 9112, section 9.6: a server that closes while the client still sends resets the connection, and what it said last
may be lost with it. So it stops sending first, and goes on to take what comes, for a while.
"""

import asyncio
import select
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

from fast_priority.support.byte_stream import ByteStream
from fast_priority.support.hangups import close_watcher_of

_LINGER_SECONDS = 2.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_IS_LINUX = sys.platform == "linux"
_BYTES_ACKED = struct.Struct("=120xQ")  # where struct tcp_info of linux/tcp.h has tcpi_bytes_acked


class ClientTransport(asyncio.Transport):
    """The transport of a client, as uvicorn uses it, whose `close` lets the client hear what was said last."""

    def __init__(
        self,
        transport: asyncio.Transport,
        flow: "WatchedFlow",
        must_linger: Callable[[], bool],
        on_close: Callable[[], None],
    ) -> None:
        super().__init__()
        self._flow = flow
        self._on_close = on_close
        self.underlying = transport
        self.write = transport.write  # type: ignore[method-assign]  # called for every piece of a response
        self._must_linger = must_linger
        self.lingers = False
        """Whether it is as good as closed: what still comes is to be thrown away."""
        self._taken_bytes = self._unsent_bytes = 0
        # It then tells by `pause_writing` and `resume_writing` whether there is anything that the client is to take.
        transport.set_write_buffer_limits(high=0)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give what the transport knows."""
        return self.underlying.get_extra_info(name, default)

    def has_more_to_read(self) -> bool:
        """Tell whether something has come, or the end, that has not been read yet."""
        poll = select.poll()
        poll.register(self.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))

    def taken_bytes(self) -> int:
        """Return how many bytes the client's system has acknowledged; never fewer than before.

        On Linux the kernel counts them. Elsewhere this counts what the kernel takes from this process.
        """
        acknowledged_bytes = self._acknowledged_bytes()
        if acknowledged_bytes:
            self._taken_bytes = max(self._taken_bytes, acknowledged_bytes)
        else:
            unsent_bytes = self.underlying.get_write_buffer_size()
            self._taken_bytes += abs(unsent_bytes - self._unsent_bytes)
            self._unsent_bytes = unsent_bytes
        return self._taken_bytes

    def _acknowledged_bytes(self) -> int:
        """Return what the kernel has counted; 0 where it does not count."""
        if not _IS_LINUX:
            return 0
        try:
            told = self.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
            acknowledged_bytes: int = _BYTES_ACKED.unpack(told)[0]
        except (OSError, AttributeError, struct.error):  # it is closed, or no TCP, or the kernel is an old one
            return 0
        return acknowledged_bytes

    def is_closing(self) -> bool:
        """Tell whether nothing more can be sent."""
        return self.lingers or self.underlying.is_closing()

    def close(self) -> None:
        """Close it, once all is sent: at once if the client has nothing more to say, else when it has, or after 2 s."""
        self._on_close()
        if self.is_closing() or not self._must_linger() or not self.underlying.can_write_eof():
            self.underlying.close()
            return
        self.lingers = True
        self.underlying.write_eof()
        self._flow.let_go()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.underlying.close)

    def abort(self) -> None:
        """Close it, whatever has not been sent."""
        self.underlying.abort()

    def reset(self) -> None:
        """Close it, and let the system forget what it holds for the client: it would keep that for minutes."""
        if (connection := self.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.underlying.abort()

    def hand_over(self) -> asyncio.Transport:
        """Return what is below it, as it was, for somebody who speaks no HTTP."""
        self.underlying.set_write_buffer_limits()
        return self.underlying


class WatchedFlow(FlowControl):
    """uvicorn's flow control, which ends the connection when the client leaves while nobody reads from it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._hangups = close_watcher_of(asyncio.get_running_loop())
        self._fd: int | None = None
        self._is_held = False

    def hold(self) -> None:
        """Read no more, whoever asks for it, until `let_go`."""
        self.pause_reading()
        self._is_held = True

    def let_go(self) -> None:
        """Read again."""
        self._is_held = False
        self.resume_reading()

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self.read_paused or self._transport.is_closing():
            return
        super().pause_reading()
        if (socket := self._transport.get_extra_info("socket")) is not None:
            self._fd = socket.fileno()
            self._hangups.watch(self._fd, self._transport.abort)

    def resume_reading(self) -> None:
        """Read again, unless it is held."""
        if self._is_held:
            return
        self.unwatch()
        if not self._transport.is_closing():
            super().resume_reading()

    def unwatch(self) -> None:
        """Wait for no end: the connection is read, is somebody else's, or is lost."""
        if self._fd is not None:
            self._hangups.unwatch(self._fd)
            self._fd = None


class TakenOver(ByteStream):
    """A client's connection that speaks no HTTP any more. The server still counts it among its own."""

    def __init__(self, connections: set[Any], end: Callable[[], None]) -> None:
        super().__init__()
        self._connections = connections
        self._end = end

    def take(self, transport: asyncio.Transport, begun: bytes, *, write_paused: bool) -> None:
        """Take it from another protocol, with what that has read and not used."""
        transport.set_protocol(self)
        self.connection_made(transport)
        if write_paused:
            self.pause_writing()
        if begun:
            self.reader.feed_data(begun)
        transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._connections.discard(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server shuts down."""
        self._end()

    def give_up(self) -> None:
        """It shuts down at once."""
        self.reset()
