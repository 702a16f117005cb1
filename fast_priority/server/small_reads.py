"""Reads a client's bytes in pieces of a size that fits what comes next.

Bytes that have been read cannot be put back. uvloop alone reads up to 256 KiB at once: an upload that waits in the
queue would hold that much of its body. So all bytes behind a head or behind a body are read in small pieces: a request
that waits holds at most one such piece of its body, and one piece of the requests behind it. Those are not parsed
before their turn (`http/request_bounds.py`): parsed, they would take a hundred times the memory of their bytes.
"""

import asyncio
from typing import Protocol

from fast_priority.http.limits import MOST_WHOLE_BODY_BYTES
from fast_priority.http.message import Fields

LITTLE_BYTES = 8 * 1024
"""The most that one read brings while it is not known whether the bytes are wanted."""
_MOST_BYTES = 256 * 1024
_MOST_IN_CHUNKS_BYTES = 16 * 1024  # the end of a chunked body is known too late; smaller reads make uploads slower
_buffer = memoryview(bytearray(_MOST_BYTES))  # filled and emptied within one step, and so enough for all connections


def declared_body_bytes(fields: Fields) -> int | None:
    """Return the length of the body of a request with these fields, in bytes; None if it comes in chunks.

    Names are in lower case.
    """
    declared_bytes = 0
    for name, value in fields:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            declared_bytes = int(value)
    return declared_bytes


class BodyReads:
    """The sizes of the reads of a connection's latest request body."""

    def __init__(self) -> None:
        self._declared_bytes: int | None = 0
        self._rest_bytes = 0
        self.is_held = False
        """Whether reading is to stop after the first piece of the body."""

    def begin(self, declared_bytes: int | None) -> None:
        """Begin with another body, of this length; None: it comes in chunks."""
        self._declared_bytes = declared_bytes
        self._rest_bytes = declared_bytes or 0
        self.is_held = False

    @property
    def most_bytes(self) -> int:
        """Return how many bytes the next read may bring."""
        if self.is_held:
            return LITTLE_BYTES
        if self._declared_bytes is None:
            return _MOST_IN_CHUNKS_BYTES
        return min(max(self._rest_bytes, 0) + LITTLE_BYTES, _MOST_BYTES)

    @property
    def is_large(self) -> bool:
        """Return whether the body is one that is not read before the application receives it."""
        return self._declared_bytes is None or self._declared_bytes > MOST_WHOLE_BODY_BYTES

    def count(self, size_bytes: int) -> None:
        """Count a piece of the body that was read."""
        self._rest_bytes -= size_bytes


class ReadsByItsOwnSize(Protocol):
    """The protocol of a client's connection: an asyncio.Protocol that limits each read."""

    @property
    def most_read_bytes(self) -> int:
        """Return how many bytes the next read may bring: from 1 to 256 KiB."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """See asyncio.BaseProtocol."""

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.BaseProtocol."""

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""

    def eof_received(self) -> bool | None:
        """See asyncio.Protocol."""

    def pause_writing(self) -> None:
        """See asyncio.BaseProtocol."""

    def resume_writing(self) -> None:
        """See asyncio.BaseProtocol."""


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
        """Return the buffer that the next read is to fill."""
        return _buffer[: self._inner.most_read_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what was read."""
        self._inner.data_received(bytes(_buffer[:nbytes]))
