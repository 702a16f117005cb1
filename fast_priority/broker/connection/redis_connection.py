"""redis-py's asyncio connections, for each way to a Redis, with what ours do besides.

They take large answers in few reads, and leave a server that has become a replica: what it was asked then counts as
lost, and the next connection goes where the name, or a Sentinel, leads by now.
"""

from collections.abc import Mapping
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.exceptions import ReadOnlyError, ResponseError

from fast_priority.broker.connection.pool import NotCarriedOut

READ_BYTES = 1024 * 1024
"""Read at once; redis-py itself reads 64 KiB."""

_SAID_IN_A_SCRIPT = "READONLY You can't write"
"""What a script of Redis 6.2 that met a replica ends with, inside a general error."""


class _LeavingReplicas(AbstractConnection):
    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            if not isinstance(error, ReadOnlyError) and _SAID_IN_A_SCRIPT not in str(error):
                raise
            await self.disconnect(nowait=True)
            raise NotCarriedOut("this Redis has become a replica") from error


class _ReadingMuchAtOnce(Connection):
    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "limit": READ_BYTES}


class TcpConnection(_LeavingReplicas, _ReadingMuchAtOnce, Connection):
    """To a host and port."""


class TlsConnection(_LeavingReplicas, _ReadingMuchAtOnce, SSLConnection):
    """To a host and port, by TLS."""


class SocketConnection(_LeavingReplicas, UnixDomainSocketConnection):
    """To a unix socket."""


class MasterConnection(_LeavingReplicas, _ReadingMuchAtOnce, SentinelManagedConnection):
    """To the master that the Sentinels name, each time anew."""


class MasterTlsConnection(_LeavingReplicas, _ReadingMuchAtOnce, SentinelManagedSSLConnection):
    """To the master that the Sentinels name, by TLS."""
