"""Every limit of HTTP on size and rate: of heads, of fields, and of bodies that are held whole.

The sizes of buffers and reads are not here: they bound what a process does at once, not what a client or a target may
send.
"""

from fast_priority.errors import RequestFieldsTooLarge, RequestLineTooLong

MOST_REQUEST_LINE_BYTES = 64 * 1024
MOST_FIELDS = 512
"""Field lines of one head."""
MOST_REQUEST_FIELDS_BYTES = 64 * 1024
"""All fields of a request together, each with its colon, one space and its line end."""
MOST_RESPONSE_FIELDS_BYTES = 64 * 1024
"""The names and values of all fields of a response together."""
MOST_LENGTH_DIGITS = 18
"""The digits of a Content-Length: as many as always fit into 64 bits."""
MOST_WHOLE_BODY_BYTES = 64 * 1024
"""A body that travels in one piece; a larger one is streamed."""
MOST_BUFFERED_BODY_BYTES = 16 * 1024 * 1024
"""A response body of unknown length that is held for a client of HTTP/1.0."""
MOST_BUFFERED_BODIES_BYTES = 256 * 1024 * 1024
"""All such bodies of one process together."""
MOST_BODIES_FOR_RULES_BYTES = 256 * 1024 * 1024
"""All bodies together, of those over MOST_WHOLE_BODY_BYTES, that one process reads because a rule looks at them."""
LEAST_BYTES_PER_SECOND = 500
"""A client that moves fewer bytes runs out of time. Live audio of 8 kbit/s, a slow use of HTTP, moves twice as many."""

_AROUND_A_TARGET = len("  HTTP/1.1")
_AROUND_A_FIELD = len(": \r\n")
_MOST_BYTES_WITHOUT_PROGRESS = MOST_REQUEST_LINE_BYTES + MOST_REQUEST_FIELDS_BYTES + len("\r\n\r\n")


class HeadLimits:
    """Counts the head of a request, and the trailer fields of its body, while they come in.

    The HTTP parser itself has no limits.
    """

    def __init__(self) -> None:
        self._fields = self._field_bytes = self._bytes_without_progress = 0

    def begin(self) -> None:
        """Begin with another head."""
        self._fields = self._field_bytes = 0

    def count_target(self, method: bytes, target: bytes) -> None:
        """Check the request line as far as it has come. Raises RequestLineTooLong."""
        if len(method) + len(target) + _AROUND_A_TARGET > MOST_REQUEST_LINE_BYTES:
            raise RequestLineTooLong(f"a request line may have {MOST_REQUEST_LINE_BYTES} bytes")

    def count_field(self, name: bytes, value: bytes) -> None:
        """Count one more field. Raises RequestFieldsTooLarge."""
        self._fields += 1
        self._field_bytes += len(name) + len(value) + _AROUND_A_FIELD
        if self._fields > MOST_FIELDS or self._field_bytes > MOST_REQUEST_FIELDS_BYTES:
            raise self._too_large()

    def count_received(self, size_bytes: int) -> None:
        """Count bytes that the parser is about to get."""
        self._bytes_without_progress += size_bytes

    def progress(self) -> None:
        """Note that the parser has completed something: a head, or a piece of a body."""
        self._bytes_without_progress = 0

    def check_progress(self) -> None:
        """Raise RequestFieldsTooLarge if the parser has got more bytes than a head may have, and completed nothing."""
        if self._bytes_without_progress > _MOST_BYTES_WITHOUT_PROGRESS:
            raise self._too_large()

    def _too_large(self) -> RequestFieldsTooLarge:
        return RequestFieldsTooLarge(
            f"a request may have {MOST_FIELDS} fields, and {MOST_REQUEST_FIELDS_BYTES} bytes of fields"
        )
