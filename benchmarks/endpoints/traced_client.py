"""A client on one plain socket that sends requests to the traced target, and collects the times of each."""

import socket
import time
from dataclasses import dataclass

from benchmarks.endpoints.traced_target import ANSWERED, ARRIVED

_BODY_BYTES = 10
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """One request: when its client sent it and received the response, and when the target had it; unix seconds."""

    sent: float
    arrived: float
    answered: float
    received: float


def send_traced_requests(address: tuple[str, int], path: str, count: int) -> list[RequestTimes]:
    """Send this many requests, one after the other, and return the times of each. Raises OSError."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    with socket.create_connection(address, timeout=_TIMEOUT_SECONDS) as connection:
        return [_send(connection, request) for _ in range(count)]


def _send(connection: socket.socket, request: bytes) -> RequestTimes:
    sent = time.time()
    connection.sendall(request)
    response = b""
    while len(response.partition(b"\r\n\r\n")[2]) < _BODY_BYTES:
        if not (data := connection.recv(65536)):
            raise ConnectionError(f"the connection ended: {response[:200]!r}")
        response += data
    received = time.time()
    head = response.partition(b"\r\n\r\n")[0].decode(errors="replace")
    fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    return RequestTimes(sent, float(fields[ARRIVED]), float(fields[ANSWERED]), received)
