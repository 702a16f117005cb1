"""The echo: a request, told back as JSON. Pure.

The field names are in lower case, as ASGI hands them over; their order and repetitions are as received.
A body above 16 MiB is told by its length and its SHA-256 only.
"""

import base64
import hashlib
import json
from collections.abc import Sequence

# What the mock holds in memory of one request's body: a load test with large bodies should not fill the machine.
MAX_ECHOED_BODY_BYTES = 16 * 1024 * 1024


class ReceivedBody:
    """A request body that is read chunk by chunk: its hash and length, and its bytes while it is small enough."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._kept = bytearray()
        self.length_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Take in the next chunk."""
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


def echo_request(
    method: str, raw_path: bytes, query: bytes, fields: Sequence[tuple[bytes, bytes]], body: ReceivedBody
) -> bytes:
    """Give the JSON echo of a request; `raw_path` and `query` come back as they were on the wire."""
    content = body.content
    return json.dumps(
        {
            "method": method,
            "path": raw_path.decode("latin-1"),
            "query": query.decode("latin-1"),
            "fields": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in fields],
            "body": None if content is None else _text_or_none(content),
            "body_base64": None if content is None else base64.b64encode(content).decode("ascii"),
            "body_sha256": body.sha256,
            "body_length": body.length_bytes,
        }
    ).encode()


def _text_or_none(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
