"""One client request in a thread of its own, and its result: status, duration, and whether it was complete."""

import http.client
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

_TIMEOUT_SECONDS = 90.0
_READ_BYTES = 16 * 1024
_SLUGS = "urn:fast-priority:"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a request. `status` is None if the connection ended without a response."""

    status: int | None
    seconds: float
    slug: str = ""
    whole: bool = True
    retry_after: str | None = None
    body: bytes = b""

    def __str__(self) -> str:
        if self.status is None:
            return "connection closed"
        return f"{self.status} {self.slug}".strip() + ("" if self.whole else ", broken off")


class ClientRequest:
    """A request in flight, in a thread and on a connection of its own."""

    def __init__(
        self,
        port: int,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.method = method
        self.request_id = uuid.uuid4().hex
        self.received_bytes = 0
        self._target = target
        self._body = body
        self._fields = {"X-Request-ID": self.request_id, "Connection": "close", **fields}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
        self._socket: socket.socket | None = None  # http.client drops its reference once it has a response
        self._outcome: Future[Result] = Future()
        self._sent_at = time.monotonic()
        threading.Thread(target=self._run, daemon=True).start()

    def result(self, within_seconds: float = _TIMEOUT_SECONDS) -> Result:
        """Wait until the request ends, and return its result.

        `within_seconds` counts from sending. Raises TimeoutError if the request has not ended by then.
        """
        left_seconds = self._sent_at + within_seconds - time.monotonic()
        try:
            return self._outcome.result(max(0.0, left_seconds))
        except FutureTimeout:
            raise TimeoutError(f"no response to {self.method} {self._target} in {within_seconds:g} s") from None

    def disconnect(self) -> None:
        """Close the connection, as a client does that no longer waits."""
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            answer = self._exchange()
        except (OSError, http.client.HTTPException):
            answer = Result(None, time.monotonic() - self._sent_at)
        finally:
            self._connection.close()
        self._outcome.set_result(answer)

    def _exchange(self) -> Result:
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request(self.method, self._target, self._body, self._fields)
        response = self._connection.getresponse()
        body, whole = b"", True
        try:
            while piece := response.read1(_READ_BYTES):
                body += piece
                self.received_bytes = len(body)
            # read1() does not report an early end.
            whole = not response.length
        except (OSError, http.client.HTTPException):
            whole = False
        seconds = time.monotonic() - self._sent_at
        return Result(response.status, seconds, _slug(response, body), whole, response.getheader("Retry-After"), body)


def _slug(response: http.client.HTTPResponse, body: bytes) -> str:
    if response.getheader("Content-Type") != "application/problem+json":
        return ""
    return str(json.loads(body)["type"]).removeprefix(_SLUGS)
