"""How much of a client's bytes is read at once: little while a head is read, much once a body flows.

What was read cannot be put back. With uvloop's own reads, of 256 KiB, an upload that has to wait would hold as much of
its body as came together with its head.
"""

import asyncio
from typing import Protocol

_HEAD_BYTES = 8 * 1024
_BODY_BYTES = 256 * 1024
# Filled and emptied within one step of the loop, and so enough for all connections.
_head_buffer = memoryview(bytearray(_HEAD_BYTES))
_body_buffer = memoryview(bytearray(_BODY_BYTES))


class ReadsHeads(Protocol):
    """The protocol of a client's connection, of which more is asked than of an asyncio.Protocol."""

    in_head: bool
    """Whether what comes next may be the end of a head."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client has come."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""

    def eof_received(self) -> bool | None:
        """The client will send nothing more."""

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""

    def resume_writing(self) -> None:
        """It has caught up."""


class SmallReads(asyncio.BufferedProtocol):
    """Stands between the transport and the protocol of a client's connection."""

    def __init__(self, inner: ReadsHeads) -> None:
        self._inner = inner
        self._buffer = _head_buffer
        self.connection_made = inner.connection_made  # type: ignore[method-assign,assignment]
        self.connection_lost = inner.connection_lost  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give what the next read is to fill."""
        self._buffer = _head_buffer if self._inner.in_head else _body_buffer
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what was read."""
        self._inner.data_received(bytes(self._buffer[:nbytes]))
