"""Bodies that are buffered under other servers than that of `run-fast-priority`, for clients of HTTP/1.0.

Such a client knows no chunks, and another server does not end a response by closing: the head must have the length.

Such a client may read its response slowly, so there is a second limit for all buffered bodies of one process together.
"""

from collections.abc import Iterator

from fast_priority.errors import ResponseBodyTooLarge
from fast_priority.http.limits import MOST_BUFFERED_BODIES_BYTES, MOST_BUFFERED_BODY_BYTES
from fast_priority.http.message import Bytes

_PIECE_BYTES = 64 * 1024


class BufferedBody:
    """One buffered body. It is held until the end of its `with` block."""

    _of_all_bytes = 0

    def __init__(self) -> None:
        self._data = bytearray()

    def __enter__(self) -> "BufferedBody":
        return self

    def __exit__(self, *_: object) -> None:
        BufferedBody._of_all_bytes -= len(self._data)
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: Bytes) -> None:
        """Add a piece. Raises ResponseBodyTooLarge over 16 MiB, or over 256 MiB of all buffered bodies together."""
        if len(self._data) + len(data) > MOST_BUFFERED_BODY_BYTES:
            raise ResponseBodyTooLarge(f"over {MOST_BUFFERED_BODY_BYTES} bytes of unknown length need HTTP/1.1")
        if BufferedBody._of_all_bytes + len(data) > MOST_BUFFERED_BODIES_BYTES:
            raise ResponseBodyTooLarge("too many bodies of unknown length are buffered; HTTP/1.1 needs no buffer")
        self._data += data
        BufferedBody._of_all_bytes += len(data)

    def pieces(self) -> Iterator[bytes]:
        """Return the body in pieces of up to 64 KiB."""
        return (bytes(self._data[start : start + _PIECE_BYTES]) for start in range(0, len(self._data), _PIECE_BYTES))
