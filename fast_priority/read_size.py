"""How many bytes of one client's connection may be read at once, and how many of them parsed.

What was read cannot be put back. So whatever a client sends behind a head, or behind a body, is read in small pieces: a
request that has to wait holds at most one such piece of its body, and one of the requests that follow it. And a request
that was parsed takes a hundred times the memory of its bytes: those that follow are not parsed.
"""

from fast_priority.exchange import MOST_WHOLE_BYTES
from fast_priority.message import Bytes, Fields

LITTLE_BYTES = 8 * 1024
"""What is read at once while nobody knows whether it is wanted."""
_MOST_BYTES = 256 * 1024
_MOST_IN_CHUNKS_BYTES = 16 * 1024  # where a chunked body ends is known too late; smaller reads make uploads slower

_END_OF_HEAD = b"\r\n\r\n"
_LEAST_PARSED_BYTES = 256  # some ten requests, if they are as short as requests can be
_LEAST_PARSED_IN_CHUNKS_BYTES = 1024  # or a body full of what ends a head would cost much processor time


def declared_body_bytes(fields: Fields) -> int | None:
    """Return how long the body of a request with these fields is; None if it comes in chunks. Names are lower-case."""
    declared_bytes = 0
    for name, value in fields:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            declared_bytes = int(value)
    return declared_bytes


class ReadSize:
    """What is read at once on one connection."""

    def __init__(self) -> None:
        self._is_in_head = True
        self._declared_bytes: int | None = 0
        self._rest_bytes = 0
        self.holds_body = False
        """Whether reading is to stop after the first piece of the body."""

    @property
    def most_bytes(self) -> int:
        """How many bytes the next read may bring."""
        if self._is_in_head or self.holds_body:
            return LITTLE_BYTES
        if self._declared_bytes is None:
            return _MOST_IN_CHUNKS_BYTES
        return min(max(self._rest_bytes, 0) + LITTLE_BYTES, _MOST_BYTES)

    @property
    def body_is_large(self) -> bool:
        """Whether the latest body is one that is not read before somebody wants it."""
        return self._declared_bytes is None or self._declared_bytes > MOST_WHOLE_BYTES

    def parsed_bytes(self, data: Bytes) -> int:
        """Return how many bytes of what was read to parse at once: up to the end of a head, or of a body."""
        if not self._is_in_head and self._rest_bytes > 0:
            return min(self._rest_bytes, LITTLE_BYTES)
        least_bytes = _LEAST_PARSED_BYTES if self._is_in_head else _LEAST_PARSED_IN_CHUNKS_BYTES
        if len(data) <= least_bytes:
            return len(data)
        found_at = bytes(data[:LITTLE_BYTES]).find(_END_OF_HEAD)
        return LITTLE_BYTES if found_at < 0 else max(found_at + len(_END_OF_HEAD), least_bytes)

    def begin_body(self, declared_bytes: int | None) -> None:
        """The head is over. None: the body comes in chunks."""
        self._is_in_head = self.holds_body = False
        self._declared_bytes = declared_bytes
        self._rest_bytes = declared_bytes or 0

    def count_body(self, size_bytes: int) -> None:
        """A piece of the body has come."""
        self._rest_bytes -= size_bytes

    def end_body(self) -> None:
        """The body is whole: what comes next is a head."""
        self._is_in_head = True
