"""Every limit of size: of heads, of their fields, and of bodies that are kept whole."""

from fast_priority.errors import RequestFieldsTooLarge, RequestLineTooLong

LONGEST_REQUEST_LINE_BYTES = 64 * 1024
MOST_FIELD_BYTES = 64 * 1024
"""Most bytes of all fields together, each with its colon, a blank and its line's end."""
MOST_FIELDS = 512
LARGEST_FIELDS_BYTES = 64 * 1024
"""Most bytes of a response's fields together. aiohttp bounds each field and their number; its caller bounds the sum."""
LEAST_BYTES_PER_SECOND = 500
"""A client that is slower than that keeps the gateway waiting. Live audio of 8 kbit/s, which is a slow use of HTTP,
moves twice as many."""
MOST_WHOLE_BYTES = 64 * 1024
"""Most bytes of a body that is carried in one piece."""

_AROUND_A_TARGET = len("  HTTP/1.1")
_AROUND_A_FIELD = len(": \r\n")
_MOST_BYTES_WITHOUT_PROGRESS = LONGEST_REQUEST_LINE_BYTES + MOST_FIELD_BYTES + len("\r\n\r\n")


class HeadLimits:
    """How much of one head, and of the trailer fields of its body, has come, against what may.

    The HTTP parser itself would collect without end.
    """

    def __init__(self) -> None:
        self._fields = self._field_bytes = self._bytes_without_progress = 0

    def begin(self) -> None:
        """A head begins."""
        self._fields = self._field_bytes = 0

    def count_target(self, method: bytes, target: bytes) -> None:
        """Look at the request line as far as it has come. Raises RequestLineTooLong."""
        if len(method) + len(target) + _AROUND_A_TARGET > LONGEST_REQUEST_LINE_BYTES:
            raise RequestLineTooLong(f"a request line may have {LONGEST_REQUEST_LINE_BYTES} bytes")

    def count_field(self, name: bytes, value: bytes) -> None:
        """Count one more field. Raises RequestFieldsTooLarge."""
        self._fields += 1
        self._field_bytes += len(name) + len(value) + _AROUND_A_FIELD
        if self._fields > MOST_FIELDS or self._field_bytes > MOST_FIELD_BYTES:
            raise self._too_large()

    def count_received(self, size_bytes: int) -> None:
        """Count what is about to be read."""
        self._bytes_without_progress += size_bytes

    def progress(self) -> None:
        """Something is whole: a head, or a piece of a body."""
        self._bytes_without_progress = 0

    def check_progress(self) -> None:
        """Raise RequestFieldsTooLarge if more has come to nothing than a head may have: it is one that has no end."""
        if self._bytes_without_progress > _MOST_BYTES_WITHOUT_PROGRESS:
            raise self._too_large()

    def _too_large(self) -> RequestFieldsTooLarge:
        return RequestFieldsTooLarge(f"{MOST_FIELDS} fields may come, and {MOST_FIELD_BYTES} bytes of them in all")
