"""HTTP/1.1 messages, parsed as they are on the wire: nothing is decoded, joined, sorted or normalized.

Just enough of RFC 9112 to tell where a message ends (section 6.3). Client and target of the suite both read with it.
"""

import re
from dataclasses import dataclass

Fields = tuple[tuple[bytes, bytes], ...]

_HEAD_END = b"\r\n\r\n"
_WITHOUT_BODY = frozenset({101, 204, 304})
_INTERIM = frozenset(range(100, 200)) - {101}  # after a 101 the protocol is another one


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response; `whole` is false if its connection ended before it was complete."""

    start: bytes
    fields: Fields
    body: bytes = b""
    whole: bool = True

    def values(self, name: str) -> list[bytes]:
        """Return the values of all fields of this name, in order."""
        return [value for known, value in self.fields if known.lower() == name.lower().encode()]

    @property
    def method(self) -> bytes:
        """The first word of a request."""
        return self.start.split(b" ")[0]

    @property
    def target(self) -> bytes:
        """The bytes between the method and the version of a request."""
        return self.start.partition(b" ")[2].rpartition(b" ")[0]

    @property
    def status(self) -> int:
        """The status of a response, even one of two or four digits; 0 if it has none."""
        found = re.match(rb"HTTP/\d\.\d (\d+)", self.start)
        return int(found[1]) if found else 0

    @property
    def is_final(self) -> bool:
        """Whether no other response to the same request follows."""
        return self.status not in _INTERIM

    @property
    def is_chunked(self) -> bool:
        """Whether its body comes in chunks."""
        return any(b"chunked" in value.lower() for value in self.values("transfer-encoding"))

    @property
    def is_delimited(self) -> bool:
        """Whether the message itself defines the end of its body."""
        return self.is_chunked or bool(self.values("content-length"))


def read_head(data: bytes) -> tuple[Message, bytes] | None:
    """Return a message without its body, and the bytes behind its head; None if the head is not complete."""
    head, end, rest = data.partition(_HEAD_END)
    if not end:
        return None
    start, *lines = head.split(b"\r\n")
    return Message(start, tuple(_field(line) for line in lines)), rest


def read_request(data: bytes) -> tuple[Message, bytes] | None:
    """Return the first request and the bytes behind it; None if it is not complete."""
    found = read_head(data)
    if found is None:
        return None
    head, rest = found
    return _with_body(head, rest) if head.is_delimited else (head, rest)


def read_responses(data: bytes, methods: list[bytes], *, ended: bool) -> tuple[list[Message], bytes]:
    """Return the responses to requests of these methods, with interim ones, and the bytes that are no response.

    With `ended`, the connection is closed: an incomplete response is returned as it is, and a body without a length
    is complete.
    A response for which there is no method left is read as one to GET.
    """
    responses: list[Message] = []
    while found := read_head(data):
        head, rest = found
        if not head.status:
            break
        finals = sum(response.is_final for response in responses)
        method = methods[finals] if finals < len(methods) else b"GET"
        read = _response(head, rest, method, ended=ended)
        if read is None:
            break
        response, data = read
        responses.append(response)
    return responses, data


def _response(head: Message, rest: bytes, method: bytes, *, ended: bool) -> tuple[Message, bytes] | None:
    if not head.is_final or head.status in _WITHOUT_BODY or method == b"HEAD":
        return head, rest
    if head.is_delimited and (read := _with_body(head, rest)) is not None:
        return read
    if not ended:
        return None
    return Message(head.start, head.fields, rest, whole=not head.is_delimited), b""


def _with_body(head: Message, rest: bytes) -> tuple[Message, bytes] | None:
    if head.is_chunked:
        read = _chunked_body(rest)
        if read is None:
            return None
        body, rest = read
        return Message(head.start, head.fields, body), rest
    length = head.values("content-length")[0]
    if not length.isdigit() or len(rest) < int(length):
        return None
    return Message(head.start, head.fields, rest[: int(length)]), rest[int(length) :]


def _chunked_body(data: bytes) -> tuple[bytes, bytes] | None:
    """Return a joined body without trailers, and what follows; None if it is not complete, or has no valid chunks."""
    body, at = bytearray(), 0
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size_word = data[at:line_end].partition(b";")[0]
        if not re.fullmatch(rb"[0-9A-Fa-f]+", size_word):
            return None
        size, at = int(size_word, 16), line_end + 2
        if size == 0:
            # The line end of the last chunk and the empty line follow each other if there are no trailers.
            if data[at : at + 2] == b"\r\n":
                return bytes(body), data[at + 2 :]
            _, end, rest = data[at:].partition(_HEAD_END)
            return (bytes(body), rest) if end else None
        if data[at + size : at + size + 2] != b"\r\n":
            return None
        body += data[at : at + size]
        at += size + 2
    return None


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")
