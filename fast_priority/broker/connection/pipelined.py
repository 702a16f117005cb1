"""One connection on which many commands are in flight: they are written at once, and their answers come in order.

redis-py connects, authenticates and selects the database. From then on, this module has the transport for itself: an
answer is parsed, and its callback called, in the moment in which its bytes have come, without a task in between.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

from fast_priority.broker.connection.pipeline import Command, borrow, packed
from fast_priority.broker.connection.pool import NotCarriedOut
from fast_priority.broker.connection.redis_connection import LEFT_REPLICA, is_refused_by_replica

_NO_ANSWER_YET = object()


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
        self._answers: _Answers | None = None

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._answers is not None and self._answers.is_open

    def send(self, command: Command) -> None:
        """Write a command. Raises NotCarriedOut if nothing was written."""
        connection, answers = self._connection, self._answers
        if connection is None or answers is None or not answers.is_open:
            raise NotCarriedOut("there is no connection to Redis")
        try:
            for part in packed(connection, [command]):
                answers.transport.write(part)
        except (RuntimeError, OSError) as error:  # uvloop raises RuntimeError on a connection that is closed
            raise NotCarriedOut(f"the connection was closed: {error}") from error

    def break_off(self, error: Exception) -> None:
        """End the connection because of this error: an answer is overdue."""
        if self._answers is not None:
            self._answers.break_off(error)

    async def read_until_lost(self) -> None:
        """Connect, and call back with answers until the connection ends. Raises the error that ended it."""
        connection = await borrow(self._redis)
        lost: Exception = RedisConnectionError("the gateway stopped")
        try:
            self._connection, self._answers = connection, _Answers(connection, self._on_answer)
            self._on_open()
            await self._answers.until_lost
        except Exception as error:
            lost = error
            raise lost from None
        finally:
            self._connection = self._answers = None
            await connection.disconnect(nowait=True)
            await self._redis.connection_pool.release(connection)
            self._on_lost(lost)

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()


class _Answers(asyncio.Protocol):
    """Reads the answers on a connection that redis-py has made, in place of redis-py."""

    def __init__(self, connection: AbstractConnection, on_answer: Callable[[Any], None]) -> None:
        if connection._writer is None:
            raise NotCarriedOut("the connection was closed")
        self._on_answer = on_answer
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,
            notEnoughData=_NO_ANSWER_YET,
        )
        self.until_lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises the error that ended the connection."""
        self.transport = cast("asyncio.Transport", connection._writer.transport)
        self.transport.set_protocol(self)
        if self.transport.is_closing():
            self.break_off(RedisConnectionError("the connection was closed"))

    @property
    def is_open(self) -> bool:
        return not self.until_lost.done()

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while self.is_open and (answer := self._reader.gets()) is not _NO_ANSWER_YET:
                self._take(answer)
        except Exception as error:
            self.break_off(error)

    def _take(self, answer: Any) -> None:
        if is_refused_by_replica(answer):
            self.break_off(NotCarriedOut(LEFT_REPLICA))
        elif not isinstance(answer, hiredis.PushNotification):
            self._on_answer(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or RedisConnectionError("Redis has closed the connection"))

    def break_off(self, error: Exception) -> None:
        if self.is_open:
            self._end(error)
            self.transport.abort()

    def _end(self, error: Exception) -> None:
        if self.is_open:
            self.until_lost.set_exception(error)
