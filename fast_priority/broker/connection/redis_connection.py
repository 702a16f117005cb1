"""redis-py's asyncio connections, one class for each way to reach Redis, with two additions.

They read large answers in few reads. They disconnect from a server that has become a replica: the commands count as not
carried out, and the next connection goes to the server that the host name, or a Sentinel, names now.
"""

from collections.abc import Mapping
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.exceptions import ReadOnlyError, ResponseError

from fast_priority.broker.connection.pool import NotCarriedOut

READ_BYTES = 1024 * 1024
"""The most bytes in one read. redis-py's own limit is 64 KiB."""

LEFT_REPLICA = "this Redis has become a replica"
_REFUSED_IN_A_SCRIPT = "READONLY You can't write"
"""Part of the error of a script on a replica, in Redis 6.2."""


def is_refused_by_replica(answer: object) -> bool:
    """Return whether an answer is the error of a server that has become a replica."""
    return isinstance(answer, ReadOnlyError) or (
        isinstance(answer, ResponseError) and _REFUSED_IN_A_SCRIPT in str(answer)
    )


class _LeavingReplicas(AbstractConnection):
    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            if not is_refused_by_replica(error):
                raise
            await self.disconnect(nowait=True)
            raise NotCarriedOut(LEFT_REPLICA) from error


class _ReadingMuchAtOnce(Connection):
    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "limit": READ_BYTES}


class TcpConnection(_LeavingReplicas, _ReadingMuchAtOnce, Connection):
    """A connection to a host and port."""


class TlsConnection(_LeavingReplicas, _ReadingMuchAtOnce, SSLConnection):
    """A connection to a host and port over TLS."""


class SocketConnection(_LeavingReplicas, UnixDomainSocketConnection):
    """A connection to a unix socket."""


class MasterConnection(_LeavingReplicas, _ReadingMuchAtOnce, SentinelManagedConnection):
    """A connection to the master. It asks the Sentinels each time it connects."""


class MasterTlsConnection(_LeavingReplicas, _ReadingMuchAtOnce, SentinelManagedSSLConnection):
    """A connection to the master over TLS. It asks the Sentinels each time it connects."""
