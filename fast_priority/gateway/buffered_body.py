"""Bodies of responses that are held whole: a client of HTTP/1.0 knows no chunks, and must be told the length first.

Such a client may take its response slowly. So what one process holds of all such bodies together has a limit, too.
"""

from collections.abc import Iterator

from fast_priority.errors import ResponseBodyTooLarge
from fast_priority.http.limits import MOST_BUFFERED_BODIES_BYTES, MOST_BUFFERED_BODY_BYTES
from fast_priority.http.message import Bytes

_PIECE_BYTES = 64 * 1024


class WholeBody:
    """One of them. It is held until the end of its `with` block."""

    _of_all_bytes = 0

    def __init__(self) -> None:
        self._data = bytearray()

    def __enter__(self) -> "WholeBody":
        return self

    def __exit__(self, *_: object) -> None:
        WholeBody._of_all_bytes -= len(self._data)
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: Bytes) -> None:
        """Hold one piece more. Raises ResponseBodyTooLarge over 16 MiB, or over 256 MiB of all such bodies together."""
        if len(self._data) + len(data) > MOST_BUFFERED_BODY_BYTES:
            raise ResponseBodyTooLarge(f"over {MOST_BUFFERED_BODY_BYTES} bytes of unknown length need HTTP/1.1")
        if WholeBody._of_all_bytes + len(data) > MOST_BUFFERED_BODIES_BYTES:
            raise ResponseBodyTooLarge("too many bodies of unknown length are held; with HTTP/1.1, none has to be")
        self._data += data
        WholeBody._of_all_bytes += len(data)

    def pieces(self) -> Iterator[bytes]:
        """Return what is held, in pieces of up to 64 KiB."""
        return (bytes(self._data[start : start + _PIECE_BYTES]) for start in range(0, len(self._data), _PIECE_BYTES))
