"""Admission control: how many clients may be connected, and what happens to those over the limit.

At the limit, the connection that has been idle for longest is closed for a new one. If none is idle, the new client is
rejected with 503: when it sends a request, not when it connects, for a response that no request was sent for looks like
an error to clients. A request for the gateway's health is let in nevertheless: a gateway with many clients would
otherwise look dead, and a supervisor would end it.
"""

import asyncio
import logging
import resource
from collections.abc import Callable
from functools import partial
from typing import Any

from fast_priority.errors import TooManyConnections
from fast_priority.http.cors import NO_ORIGINS, AllowedOrigins
from fast_priority.http.problem import closing_problem
from fast_priority.server.http_protocol import HttpProtocol
from fast_priority.server.small_reads import SmallReads
from fast_priority.server.timeouts import ConnectionTimeouts
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

KEPT_FILES = 512
"""How many open files are kept for Redis, the target, rejected connections and the rest."""
_MOST_REJECTED = 256  # connections that wait for their 503, or to be let in; more are closed at once
_REQUEST_SECONDS = 2.0
_LINGER_SECONDS = 2.0


def connections_that_fit(wanted: int, files: int) -> int:
    """Return how many connections to accept: `wanted` (0: no limit), or fewer if so few files may be open.

    Logs a warning if they are fewer.
    """
    if files == resource.RLIM_INFINITY or not wanted or wanted + KEPT_FILES <= files:
        return wanted
    fits = max(files - KEPT_FILES, files // 2, 1)
    logger.warning(
        "FAST_PRIORITY_MAX_CONNECTIONS=%d needs %d open files, and this process may have %d: it takes %d connections "
        "(raise `ulimit -n`, LimitNOFILE or the container's ulimits)",
        wanted, wanted + KEPT_FILES, files, fits,
    )  # fmt: skip
    return fits


class ConnectionLimiter:
    """Makes the protocol of each new connection, for uvicorn.

    `most_connections` is the limit (0: none). A request for one of `probes`, paths without a slash at their end, is let
    in over the limit. `retry_after_seconds` returns the Retry-After of a rejection. Pages of `origins` may read errors.
    """

    def __init__(
        self,
        timeouts: ConnectionTimeouts,
        most_connections: int = 0,
        probes: frozenset[bytes] = frozenset(),
        retry_after_seconds: Callable[[], int] = lambda: 1,
        origins: AllowedOrigins = NO_ORIGINS,
    ) -> None:
        self._timeouts = timeouts
        self._origins = origins
        self._most_connections = most_connections
        self._probes = probes
        self._retry_after_seconds = retry_after_seconds
        self._rejected: set[RejectedConnection] = set()
        self._log = OutageLog("answered 503 too-many-connections", logger)

    def __call__(self, **by_uvicorn: Any) -> asyncio.BaseProtocol:
        """Return a protocol for a client that has just connected."""
        count = len(by_uvicorn["server_state"].connections)
        if not self._most_connections or count < self._most_connections or self._timeouts.make_room():
            return SmallReads(HttpProtocol(timeouts=self._timeouts, origins=self._origins, **by_uvicorn))
        return RejectedConnection(self._rejected, self._rejection, self._probes, partial(self._let_in, by_uvicorn))

    def _rejection(self, received: bytes) -> bytes:
        error = TooManyConnections(f"{self._most_connections} clients are connected")
        error.retry_after_seconds = self._retry_after_seconds()
        self._log.failure(error.detail)
        return closing_problem(error, self._origins.fields_for_head(received))

    def _let_in(self, by_uvicorn: dict[str, Any], transport: asyncio.Transport, data: bytes) -> None:
        """Take over the connection of a client that has sent `data`, for one request."""
        if len(by_uvicorn["server_state"].connections) >= self._most_connections + _MOST_REJECTED:
            transport.abort()
            return
        protocol = HttpProtocol(timeouts=self._timeouts, origins=self._origins, is_last=True, **by_uvicorn)
        transport.set_protocol(SmallReads(protocol))
        protocol.connection_made(transport)
        protocol.data_received(data)


class RejectedConnection(asyncio.Protocol):
    """A connection over the limit. It sends what `rejection` returns for the first bytes, and reads no more.

    `others` are all rejected connections of this process.
    """

    def __init__(
        self,
        others: set["RejectedConnection"],
        rejection: Callable[[bytes], bytes],
        probes: frozenset[bytes],
        let_in: Callable[[asyncio.Transport, bytes], None],
    ) -> None:
        self._others = others
        self._rejection = rejection
        self._probes = probes
        self._let_in = let_in
        self._was_answered = False
        self._abort: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, unless too many wait already."""
        self._transport = transport
        if len(self._others) >= _MOST_REJECTED:
            transport.abort()
            return
        self._others.add(self)
        self._abort_in(_REQUEST_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Reject the request, or let it in."""
        if self._was_answered or self._transport.is_closing():
            return
        if _requested_path(data) in self._probes:
            self._forget()
            self._let_in(self._transport, data)
            return
        self._was_answered = True
        self._transport.write(self._rejection(data))
        # If the client still sends, closing now would cost it the response (RFC 9112, section 9.6).
        if not self._transport.is_closing():
            self._transport.write_eof()
        self._abort_in(_LINGER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another rejected connection."""
        self._forget()

    def _forget(self) -> None:
        self._others.discard(self)
        if self._abort is not None:
            self._abort.cancel()

    def _abort_in(self, seconds: float) -> None:
        if self._abort is not None:
            self._abort.cancel()
        self._abort = asyncio.get_running_loop().call_later(seconds, self._transport.abort)


def _requested_path(data: bytes) -> bytes | None:
    method, _, rest = data.partition(b" ")
    target = rest.partition(b" ")[0]
    return target.partition(b"?")[0].rstrip(b"/") if method in (b"GET", b"HEAD") else None
