"""A client's connection below HTTP: how it is closed, and how its end is noticed.

RFC 9112, section 9.6: if a server closes a connection while the client still sends, the connection is reset, and the
client may lose the last response. So the server first closes its sending side only, and then drops for a while what the
client still sends.
"""

import asyncio
import logging
import select
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl

from fast_priority.support.byte_stream import ByteStream
from fast_priority.support.close_watcher import close_watcher_of
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.rate_timeout import RateTimeout

logger = logging.getLogger(__name__)

_LINGER_SECONDS = 2.0
_RESET_ON_CLOSE, _NO_RESET = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)
_slow_readers = OutageLog("reset a connection whose client does not read its response", logger)


class Owner(Protocol):
    """The protocol on a client's transport."""

    def may_still_send(self) -> bool:
        """Return whether the client may be in the middle of sending."""

    def is_answering(self) -> bool:
        """Return whether a response is not complete."""

    def stop_waiting(self) -> None:
        """Wait for nothing more from the client."""


class ClientTransport(asyncio.Transport):
    """The transport of a client, as uvicorn uses it, whose `close` does not cost the client the last response."""

    def __init__(self, transport: asyncio.Transport, flow: "WatchedFlow", owner: Owner) -> None:
        super().__init__()
        self._flow = flow
        self._owner = owner
        self.underlying = transport
        self.write = transport.write  # type: ignore[method-assign]  # called for every piece of a response
        self._resets = False
        self.lingers = False
        """Whether the sending side is closed: what still comes is dropped."""
        # So `pause_writing` and `resume_writing` report whether the client has anything to read.
        transport.set_write_buffer_limits(high=0)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows under this name."""
        return self.underlying.get_extra_info(name, default)

    def has_more_to_read(self) -> bool:
        """Return whether something has come, or the end, that has not been read yet."""
        poll = select.poll()
        poll.register(self.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self.lingers or self.underlying.is_closing()

    def reset_unless_answered(self) -> None:
        """From now on, end with a reset, also if this process is killed; `close` after the response is orderly."""
        self._resets = True
        self._set_linger(_RESET_ON_CLOSE)

    def close(self) -> None:
        """Close the connection when all is sent: at once if the client sends no more, else when it ends, or in 2 s."""
        if self._resets and not self._owner.is_answering():
            self._resets = False
            self._set_linger(_NO_RESET)
        self._owner.stop_waiting()
        if self.is_closing() or not self._owner.may_still_send() or not self.underlying.can_write_eof():
            self.underlying.close()
            return
        self.lingers = True
        self.underlying.write_eof()
        self._flow.let_go()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.underlying.close)

    def abort(self) -> None:
        """Close the connection at once, whatever has not been sent."""
        self.underlying.abort()

    def reset_slow_reader(self, timeout: RateTimeout) -> None:
        """Reset the connection of a client that read too slowly, and log it.

        With a reset, the system drops what it holds for the client; after a close it would keep that for minutes.
        """
        _slow_readers.failure(f"it took {timeout}")
        self._set_linger(_RESET_ON_CLOSE)
        self.underlying.abort()

    def _set_linger(self, value: bytes) -> None:
        if (connection := self.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)

    def hand_over(self) -> asyncio.Transport:
        """Return the transport below as it was, for a protocol that is not HTTP."""
        self.underlying.set_write_buffer_limits()
        return self.underlying


class WatchedFlow(FlowControl):
    """uvicorn's flow control, which notices that the client closes the connection also while it is not read."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._close_watcher = close_watcher_of(asyncio.get_running_loop())
        self._fd: int | None = None
        self._is_held = False

    def hold(self) -> None:
        """Read no more until `let_go`; `resume_reading` does nothing until then."""
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
            self._close_watcher.watch(self._fd, self._transport.abort)

    def resume_reading(self) -> None:
        """Read again, unless it is held."""
        if self._is_held:
            return
        self.unwatch()
        if not self._transport.is_closing():
            super().resume_reading()

    def unwatch(self) -> None:
        """Watch for its end no longer: the connection is read, or handed over, or lost."""
        if self._fd is not None:
            self._close_watcher.unwatch(self._fd)
            self._fd = None


class TakenOver(ByteStream):
    """A client's connection that is not HTTP any more, and still counts as one of the server's."""

    def __init__(self, connections: set[Any], end: Callable[[], None]) -> None:
        super().__init__()
        self._connections = connections
        self._end = end

    def take(self, transport: asyncio.Transport, begun: bytes, *, write_paused: bool) -> None:
        """Take the connection from another protocol, with the bytes that this has read and not used."""
        transport.set_protocol(self)
        self.connection_made(transport)
        if write_paused:
            self.pause_writing()
        if begun:
            self.reader.feed_data(begun)
        transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection among the server's."""
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection no longer."""
        self._connections.discard(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End the connection in order: the server shuts down."""
        self._end()

    def give_up(self) -> None:
        """Reset the connection: the server waits no longer."""
        self.reset()
