"""Reads no more of a client's bytes at once than its protocol wants.

With uvloop's own reads, of 256 KiB, an upload that has to wait would hold as much of its body as came together with its
head. `read_size.py` decides.
"""

import asyncio
from typing import Protocol

_MOST_BYTES = 256 * 1024
_buffer = memoryview(bytearray(_MOST_BYTES))  # filled and emptied within one step, and so enough for all connections


class ReadsByItsOwnSize(Protocol):
    """The protocol of a client's connection, of which more is asked than of an asyncio.Protocol."""

    @property
    def most_read_bytes(self) -> int:
        """How many bytes the next read may bring: from 1 to 256 KiB."""

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

    def __init__(self, inner: ReadsByItsOwnSize) -> None:
        self._inner = inner
        self.connection_made = inner.connection_made  # type: ignore[method-assign,assignment]
        self.connection_lost = inner.connection_lost  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give what the next read is to fill."""
        return _buffer[: self._inner.most_read_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what was read."""
        self._inner.data_received(bytes(_buffer[:nbytes]))
