"""How many bytes of one client's connection may be read at once.

What was read cannot be put back. So whatever a client sends behind a head, or behind a body, is read in small pieces: a
request that has to wait holds at most one such piece of its body, and one of the requests that follow it. Those are not
parsed before their turn (`request_bounds.py`): parsed, they would take a hundred times the memory of their bytes.
"""

from fast_priority.http.limits import MOST_WHOLE_BYTES
from fast_priority.http.message import Fields

LITTLE_BYTES = 8 * 1024
"""What is read at once while nobody knows whether it is wanted."""
_MOST_BYTES = 256 * 1024
_MOST_IN_CHUNKS_BYTES = 16 * 1024  # where a chunked body ends is known too late; smaller reads make uploads slower


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
