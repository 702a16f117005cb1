"""redis-py's asyncio pools, for connections that are borrowed for every round trip.

For each borrowing, redis-py updates four OpenTelemetry counters, runs its retries although the connection is connected,
and calls its listeners when the connection is returned. Nothing here uses that, and it is a large part of the cost of a
small round trip.
"""

from contextlib import suppress
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError


class NotCarriedOut(RedisConnectionError):
    """Redis has not carried out the commands and never will: they were not written, or a replica refused them."""


class Pool(ConnectionPool):
    """Lends connections. As in redis-py, each one is connected and has no unread answer."""

    async def get_connection(self, command_name: str | None = None, *keys: Any, **options: Any) -> AbstractConnection:
        """Return a connection. Raises what redis-py raises if it cannot connect."""
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            if not await _is_ready(connection):
                await self.ensure_connection(connection)
        except RuntimeError as error:
            await connection.disconnect(nowait=True)  # redis-py does not, and would use it as connected
            await self.release(connection)
            raise closed(error) from error
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back."""
        self._in_use_connections.remove(connection)
        if connection.should_reconnect():  # type: ignore[no-untyped-call]
            await connection.disconnect()
        self._available_connections.append(connection)


def closed(error: RuntimeError) -> NotCarriedOut:
    """Return the error that redis-py should raise when uvloop finds a connection closed before a write."""
    return NotCarriedOut(f"the connection was closed: {error}")


class MasterPool(Pool, SentinelConnectionPool):
    """A pool of connections to the master that Sentinels name."""


async def _is_ready(connection: AbstractConnection) -> bool:
    if connection.is_connected:
        with suppress(RedisError, OSError):
            return not await connection.can_read()
    return False
