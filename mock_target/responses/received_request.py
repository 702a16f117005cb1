"""A request as it was received: its head and its body. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from mock_target.responses.fields import Fields

# How much of a request body is kept in memory: a load test with large bodies must not exhaust the memory.
MAX_ECHOED_BODY_BYTES = 16 * 1024 * 1024


class ReceivedBody:
    """A request body that is read chunk by chunk: its hash and length, and its bytes while it is small enough."""

    __slots__ = ("_hash", "_kept", "length_bytes")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._kept = bytearray()
        self.length_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Add the next chunk."""
        self.length_bytes += len(chunk)
        self._hash.update(chunk)
        if self.length_bytes <= MAX_ECHOED_BODY_BYTES:
            self._kept += chunk
        else:
            self._kept.clear()

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    @property
    def content(self) -> bytes | None:
        """All bytes so far; None when they are more than 16 MiB."""
        return bytes(self._kept) if self.length_bytes <= MAX_ECHOED_BODY_BYTES else None


@dataclass(slots=True)
class ReceivedRequest:
    """One request: `raw_path` and `query` as on the wire, `fields` with names in lower case.

    `request_line` and `raw_fields` are the head with the bytes, the case and the order received; None under a server
    that does not pass them.
    """

    method: str
    raw_path: bytes
    query: bytes
    fields: Fields
    body: ReceivedBody
    request_line: bytes | None = None
    raw_fields: Fields | None = None


def find_request_id(fields: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the first X-Request-ID of a request's fields, or None."""
    for name, value in fields:
        if name == b"x-request-id":
            return value.decode("latin-1")
    return None
