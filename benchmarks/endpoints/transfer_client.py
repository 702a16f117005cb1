"""A client on a plain socket that downloads or uploads one body of any size."""

import json
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.endpoints.bodies import BLOCK_BYTES, body_blocks, request_head
from benchmarks.endpoints.http_response import ResponseReader, TransferFailed

_INACTIVITY_SECONDS = 120.0
_OK = 200


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transferred body, as its receiver saw it."""

    size_bytes: int
    sha256: str
    seconds: float

    @property
    def mebibytes_per_second(self) -> float:
        """Return the speed of the transfer."""
        return self.size_bytes / 1024 / 1024 / self.seconds


def download(port: int, path: str) -> Transfer:
    """GET a complete body from a port on loopback. Raises TransferFailed."""
    return _exchange(port, [request_head("GET", path)], ResponseReader())


def upload(port: int, path: str, size_bytes: int) -> Transfer:
    """POST a body of this size, and return what the target reports that it received. Raises TransferFailed."""

    def request() -> Iterator[bytes]:
        yield request_head("POST", path, size_bytes)
        yield from body_blocks(size_bytes)

    began = time.perf_counter()
    received = fetch_json(port, request())
    return Transfer(received["bytes"], received["sha256"], time.perf_counter() - began)


def fetch_json(port: int, request: Iterable[bytes]) -> dict[str, Any]:
    """Send a request and return the JSON of its response. Raises TransferFailed."""
    response = ResponseReader()
    _exchange(port, request, response)
    fields: dict[str, Any] = json.loads(response.beginning)
    return fields


def _exchange(port: int, request: Iterable[bytes], response: ResponseReader) -> Transfer:
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=_INACTIVITY_SECONDS) as connection:
        try:
            for data in request:
                connection.sendall(data)
            buffer = memoryview(bytearray(BLOCK_BYTES))
            while not response.is_complete and (count := connection.recv_into(buffer)):
                response.feed(buffer[:count])
        except OSError as error:
            raise TransferFailed(f"the connection failed: {type(error).__name__} {error}") from error
    seconds = time.perf_counter() - began
    if response.status != _OK:
        body = response.beginning[:300].decode(errors="replace")
        raise TransferFailed(f"status {response.status}: {body}" if response.status else "no response")
    if not response.is_complete:
        raise TransferFailed(f"the response ended early, after {response.size_bytes} bytes")
    return Transfer(response.size_bytes, response.sha256(), seconds)
