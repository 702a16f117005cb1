"""redis-py's asyncio connection pools, without the lock and the metrics that each taking and giving back pays for."""

from contextlib import suppress
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import RedisError

_UNUSABLE = (RedisError, OSError)


class _WithoutMetrics(ConnectionPool):
    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        """Give a connection that is ready to be written to. Raises what redis-py raises."""
        # Taking one and noting it as taken has no step in between in which another task could run.
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """See that it is connected, and that nothing is to be read on it: a server that left has sent its end."""
        with suppress(*_UNUSABLE):
            if connection.is_connected and not await connection.can_read():
                return
        await super().ensure_connection(connection)

    async def release(self, connection: AbstractConnection) -> None:
        """Take it back."""
        if connection.should_reconnect():
            await super().release(connection)
            return
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)


class Pool(_WithoutMetrics):
    """To one server."""


class MasterPool(_WithoutMetrics, SentinelConnectionPool):
    """To the master that Sentinels name."""
