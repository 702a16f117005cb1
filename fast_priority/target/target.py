"""The module that sends requests to the target; `handshake.py` asks it for WebSockets."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from yarl import URL

from fast_priority.errors import MalformedRequest
from fast_priority.http.fields import content_length
from fast_priority.http.head import request_head
from fast_priority.http.message import Fields, TargetPolicy
from fast_priority.http.request_target import TargetPath
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.exchange import Body, Exchange
from fast_priority.target.inactivity import InactivityTimer
from fast_priority.target.pool import ConnectionPool


class Target:
    """ConnectionPool to one target. Use it as an async context manager, on one event loop."""

    def __init__(self, policy: TargetPolicy) -> None:
        self.policy = policy
        base = URL(policy.base_url, encoded=True)
        self._path = TargetPath(base.raw_path)
        self._host = (base.host_port_subcomponent or "").encode()
        self._connections: ConnectionPool | None = None

    async def __aenter__(self) -> "Target":
        self._connections = ConnectionPool(self.policy)
        self._deadlines = TimeoutQueue(self.policy.timeout_seconds, InactivityTimer.lose)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connections is not None:
            self._deadlines.close()
            await self._connections.close()

    def check(self, raw_target: bytes) -> None:
        """Raise MalformedRequest for a request target that cannot be sent below the base URL."""
        self._path.check(raw_target)

    def exchange(
        self,
        method: str,
        raw_target: bytes,
        fields: Fields,
        body: Body,
        *,
        most_response_bytes: int = 0,
        may_be_sent: Callable[[], bool] = lambda: True,
    ) -> Exchange:
        """Give what sends a request, once, when it is entered, and gives the response as soon as its head is there.

        The target may be silent for the policy's timeout: until its response begins, once it has the request, and
        between two pieces of the response. What waits for the body of the request, or for whoever takes the response,
        does not count. `most_response_bytes` bounds the response's body; 0 is no limit. Leaving the `async with` block
        early closes the connection. `may_be_sent` is asked once there is a connection, before the first byte is sent.
        Raises TargetError, MalformedRequest for what cannot be sent, NotSent, and what the body itself raises.
        """
        if self._connections is None:
            raise RuntimeError("use Target as an async context manager")
        fields, declared_bytes = _framed(fields, body)
        return Exchange(
            self._connections,
            self._deadlines,
            request_head(method, self._path.below(raw_target), self._host, fields),
            body,
            is_head=method == "HEAD",
            declared_bytes=declared_bytes,
            most_response_bytes=most_response_bytes,
            may_be_sent=may_be_sent,
        )


def _framed(fields: Fields, body: Body) -> tuple[Fields, int | None]:
    """Give the fields with those that tell where the body ends, and its length. A request without one says nothing."""
    if not body:
        return fields, None
    if any(name.lower() == b"transfer-encoding" for name, _ in fields):
        raise MalformedRequest("its body would be told apart from the next request in two ways")
    try:
        declared = content_length(fields)
    except ValueError as error:
        raise MalformedRequest("its Content-Length is not a number") from error
    if isinstance(body, bytes):
        if declared is None:
            return [*fields, (b"content-length", b"%d" % len(body))], len(body)
        if declared != len(body):
            raise MalformedRequest("its body is not as long as its Content-Length")
    elif declared is None:
        return [*fields, (b"Transfer-Encoding", b"chunked")], None
    return fields, declared


async def is_reachable(base_url: str, within_seconds: float) -> bool:
    """Tell whether the target takes connections. No request is sent, so no slot of it is used."""
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(within_seconds):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError, UnicodeError):  # a name that is too long to be one raises the last
        return False
    writer.close()
    return True
