"""Reads one HTTP response while its bytes arrive."""

import hashlib

import httptools

from benchmarks.endpoints.bodies import BLOCK_BYTES


class TransferFailed(Exception):
    """A request or its response was not transferred; the message says why."""


class ResponseReader:
    """One response. The parser calls the `on_*` methods."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sha256 = hashlib.sha256()
        self.status = 0
        self.size_bytes = 0
        self.beginning = b""
        """The first bytes of the body; a short body completely."""
        self.is_complete = False

    def feed(self, data: bytes | memoryview) -> None:
        """Parse received bytes. Raises TransferFailed if they are not HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise TransferFailed(f"not an HTTP response: {error}") from None

    def sha256(self) -> str:
        """Return the checksum of the body received so far."""
        return self._sha256.hexdigest()

    def on_headers_complete(self) -> None:
        """Store the status."""
        self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """Count a piece of the body and add it to the checksum."""
        self._sha256.update(data)
        self.size_bytes += len(data)
        if len(self.beginning) < BLOCK_BYTES:
            self.beginning += data[:BLOCK_BYTES]

    def on_message_complete(self) -> None:
        """Note that the body has ended as its framing announced."""
        self.is_complete = True
