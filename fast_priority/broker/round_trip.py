"""Several commands as one round trip."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Argument = str | bytes | int | float
Command = tuple[Argument, ...]
"""A command of Redis's own."""

Result = TypeVar("Result")

_MOST_BYTES_COPIED = 16 * 1024


async def send_together(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one go and give what each is answered, a refusal as the ResponseError that it is.

    Redis carries them out one after the other, and others' in between. One that blocks holds back those behind it; they
    are carried out in the moment in which it ends. All of it takes no longer than the client's `socket_timeout`. Raises
    what redis-py raises when Redis is away; then some may have been carried out.
    """
    connection, patience_seconds = await take_connection(redis)
    try:
        return await patiently(patience_seconds, _exchange(connection, commands))
    except BaseException:
        # Answers that are still to come must not be taken for those to the next commands.
        await connection.disconnect(nowait=True)
        raise
    finally:
        await give_back(redis, connection, patience_seconds)


async def take_connection(redis: Redis) -> tuple[AbstractConnection, float | None]:
    """Give a connection that waits for ever, and how long one should. redis-py's own way is a timer for each answer."""
    connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    patience_seconds, connection.socket_timeout = connection.socket_timeout, None
    return connection, patience_seconds


async def give_back(redis: Redis, connection: AbstractConnection, patience_seconds: float | None) -> None:
    """Give it back to others, with its patience."""
    connection.socket_timeout = patience_seconds
    await redis.connection_pool.release(connection)


async def patiently(patience_seconds: float | None, doing: Coroutine[Any, Any, Result]) -> Result:
    """Do something for so long at most. Raises redis-py's TimeoutError."""
    try:
        async with asyncio.timeout(patience_seconds):
            return await doing
    except TimeoutError as error:
        raise RedisTimeoutError(f"no answer within {patience_seconds} s") from error


async def sent_on(connection: AbstractConnection, commands: Sequence[Command]) -> None:
    """Send commands, and wait for nothing but room."""
    await connection.send_packed_command(_packed(connection, commands))


async def answers_on(connection: AbstractConnection, count: int) -> list[Any]:
    """Read so many answers, a refusal as the ResponseError that it is."""
    return [await _answer_on(connection) for _ in range(count)]


async def _exchange(connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    await sent_on(connection, commands)
    return await answers_on(connection, len(commands))


def _packed(connection: AbstractConnection, commands: Sequence[Command]) -> list[bytes]:
    packed: list[bytes] = []
    for command in commands:
        # redis-py packs slowly, but copies nothing that is large.
        if [part for part in command if isinstance(part, bytes) and len(part) > _MOST_BYTES_COPIED]:
            packed += connection.pack_command(*command)
        else:
            packed.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # a tuple of any length
    return packed


async def _answer_on(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:
        return refusal
