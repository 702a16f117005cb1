"""One connection on which many commands are in flight: they are written at once, and their answers come in order."""

import math
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from fast_priority.broker.connection.pipeline import Command, answer_on, borrow, packed
from fast_priority.broker.connection.pool import NotCarriedOut


class PipelinedConnection:
    """A connection that sends commands without waiting, and calls back with each answer.

    `on_open` is called when it is connected. `on_answer` is called with each answer, in the order of the commands; the
    answer to a refused command is its ResponseError. `on_lost` is called with the error when it ends: the commands that
    were not answered by then may have been carried out.
    """

    def __init__(
        self,
        redis: Redis,
        on_open: Callable[[], None],
        on_answer: Callable[[Any], None],
        on_lost: Callable[[Exception], None],
    ) -> None:
        self._redis = redis
        self._on_open = on_open
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._connection: AbstractConnection | None = None
        self._broken_by: Exception | None = None

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._connection is not None and self._broken_by is None

    def send(self, command: Command) -> None:
        """Write a command. Raises NotCarriedOut if nothing was written."""
        connection = self._connection
        if connection is None or self._broken_by is not None or connection._writer is None:
            raise NotCarriedOut("there is no connection to Redis")
        try:
            connection._writer.writelines(packed(connection, [command]))
        except (RuntimeError, OSError) as error:  # uvloop raises RuntimeError on a connection that is closed
            raise NotCarriedOut(f"the connection was closed: {error}") from error

    def break_off(self, error: Exception) -> None:
        """End the connection because of this error: an answer is overdue."""
        connection = self._connection
        if connection is not None and self._broken_by is None and connection._writer is not None:
            self._broken_by = error
            connection._writer.transport.abort()

    async def read_until_lost(self) -> None:
        """Connect, and read answers until the connection ends. Raises the error that ended it."""
        self._broken_by = None
        connection = await borrow(self._redis)
        self._connection = connection
        lost: Exception = RedisConnectionError("the gateway stopped")
        try:
            self._on_open()
            while True:
                self._on_answer(await answer_on(connection, timeout=math.inf))
        except Exception as error:
            lost = self._reason(error)
            raise lost from None
        finally:
            self._connection = None
            await connection.disconnect(nowait=True)
            await self._redis.connection_pool.release(connection)
            self._on_lost(lost)

    def _reason(self, error: Exception) -> Exception:
        return self._broken_by or error

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
