"""Where each request of a client begins and ends, found independently of the HTTP parser.

The parser does not show the request line as it was sent, and it accepts lines of other protocols as HTTP: it reads
`GET /x RTSP/1.0` as HTTP/1.0. So the bytes are cut into pieces here, and the parser never gets bytes of two requests at
once. Then each request line can be checked, and a request that the parser ends elsewhere than this module is refused.
"""

import re

from fast_priority.errors import MalformedRequest
from fast_priority.http.message import Bytes, Fields

# RFC 9112, section 3: one space between the three words. Empty lines before it are skipped (section 2.2).
_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [!-~\x80-\xff]+ HTTP/1\.[01]\r\n")
_LINE_ENDS = re.compile(rb"(?:\r\n)*")
_END = b"\r\n\r\n"  # of a head, and of a chunked body with or without trailers
_LEAST_WINDOW_BYTES = 256
_MOST_WINDOW_BYTES = 8 * 1024


class RequestBounds:
    """Cuts the bytes of one client into pieces, and checks each request line. Use one for each connection."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin with another request: the next byte is its first."""
        self._line = b""
        self._is_line_whole = self._is_given = False
        self._is_in_chunks = False
        self._body_bytes_left = 0
        self._last_bytes = b""
        self._window_bytes = _MOST_WINDOW_BYTES

    def begin_body(self, fields: Fields) -> None:
        """Begin with the body of a request with these fields. Names are in lower case; the length has been checked."""
        for name, value in fields:
            if name == b"transfer-encoding":
                self._is_in_chunks = True
            elif name == b"content-length" and value.isdigit():
                self._body_bytes_left = int(value)

    def next_piece(self, data: Bytes, most_bytes: int) -> int:
        """Return how many of these bytes the parser gets next: 1 to `most_bytes`, all of the same request."""
        self._is_given = True
        if self._body_bytes_left and not self._is_in_chunks:
            count = min(len(data), most_bytes, self._body_bytes_left)
            self._body_bytes_left -= count
            return count
        if self._is_alone(data, most_bytes):
            self._line, self._is_line_whole, self._last_bytes = bytes(data), True, _END[1:]
            return len(data)
        window = bytes(data[: min(most_bytes, self._window_bytes)])
        count = self._to_the_end(window)
        if self._is_in_chunks:
            # A body full of empty lines is cut at each of them: then a small window saves copying.
            larger = min(2 * self._window_bytes, _MOST_WINDOW_BYTES)
            self._window_bytes = _LEAST_WINDOW_BYTES if count < len(window) else larger
        if not self._is_line_whole:
            self._line = _without_line_ends(self._line + window[:count])
            self._is_line_whole = b"\n" in self._line
        return count

    def _is_alone(self, data: Bytes, most_bytes: int) -> bool:
        """Return whether this is the whole head of a request and nothing else; most reads are."""
        return (
            not self._line
            and not self._last_bytes
            and isinstance(data, bytes)
            and len(data) <= most_bytes
            and data.endswith(_END)
            and data.find(_END) == len(data) - len(_END)
            and not data.startswith(b"\r\n")
        )

    def check_is_given(self) -> None:
        """Raise MalformedRequest if the parser begins a request inside a piece: it ended the last one there."""
        if not self._is_given:
            raise MalformedRequest("the request before it could end in two places")

    def check_line(self) -> None:
        """Raise MalformedRequest unless the request line is one of HTTP/1.1 or HTTP/1.0."""
        if not _LINE.match(self._line):
            raise MalformedRequest("it is not a request of HTTP/1.1")

    def _to_the_end(self, window: bytes) -> int:
        """Return the number of bytes through the first empty line, which may begin in the piece before."""
        before = self._last_bytes
        found = (before + window[: len(_END) - 1]).find(_END)
        if found >= 0:
            count = found + len(_END) - len(before)
        else:
            skipped = 0 if self._line or before else len(window) - len(_without_line_ends(window))
            found = window.find(_END, skipped)
            count = len(window) if found < 0 else found + len(_END)
        self._last_bytes = (before + window[max(0, count - len(_END)) : count])[1 - len(_END) :]
        return count


def _without_line_ends(data: bytes) -> bytes:
    if not data.startswith(b"\r\n"):
        return data
    found = _LINE_ENDS.match(data)
    return data[found.end() :] if found else data
