"""Who is let in: so many clients, in the place of idle ones if need be; all others hear that there are too many."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from fast_priority.errors import TooManyConnections
from fast_priority.http.problem import last_answer
from fast_priority.server.http_protocol import HttpProtocol
from fast_priority.server.rejected_connection import MOST_OVER_THE_LIMIT, RejectedConnection
from fast_priority.server.small_reads import SmallReads
from fast_priority.server.timeouts import ConnectionTimeouts
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)


class ConnectionLimiter:
    """Makes the protocol of each client's connection, for uvicorn.

    At most `most_connections` at once are clients' (0: no limit), and some more may ask for one of `probes`, paths
    without a slash at their end. `retry_after_seconds` tells the others when to come back.
    """

    def __init__(
        self,
        clocks: ConnectionTimeouts,
        most_connections: int = 0,
        probes: frozenset[bytes] = frozenset(),
        retry_after_seconds: Callable[[], int] = lambda: 1,
    ) -> None:
        self._clocks = clocks
        self._most_connections = most_connections
        self._probes = probes
        self._retry_after_seconds = retry_after_seconds
        self._over: set[RejectedConnection] = set()
        self._trouble = OutageLog("answered 503 too-many-connections", logger)

    def __call__(self, **by_uvicorn: Any) -> asyncio.BaseProtocol:
        """Make one for somebody who has just come."""
        count = len(by_uvicorn["server_state"].connections)
        if not self._most_connections or count < self._most_connections or self._clocks.make_room():
            return SmallReads(HttpProtocol(clocks=self._clocks, **by_uvicorn))
        return RejectedConnection(self._over, self._refusal, self._probes, partial(self._let_in, by_uvicorn))

    def _refusal(self) -> bytes:
        error = TooManyConnections(f"{self._most_connections} clients are connected")
        error.retry_after_seconds = self._retry_after_seconds()
        self._trouble.failure(error.detail)
        return last_answer(error)

    def _let_in(self, by_uvicorn: dict[str, Any], transport: asyncio.Transport, data: bytes) -> None:
        if len(by_uvicorn["server_state"].connections) >= self._most_connections + MOST_OVER_THE_LIMIT:
            transport.abort()
            return
        protocol = HttpProtocol(clocks=self._clocks, is_last=True, **by_uvicorn)
        transport.set_protocol(SmallReads(protocol))
        protocol.connection_made(transport)
        protocol.data_received(data)
