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

_MOST_COPIED = 64 * 1024


async def send_together(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one go and give what each is answered, a refusal as the ResponseError that it is.

    Redis carries them out one after the other, and others' in between. One that blocks holds back those behind it; they
    are carried out in the moment in which it ends. All of it takes no longer than the client's `socket_timeout`. Raises
    what redis-py raises when Redis is away; then some may have been carried out.
    """
    pool = redis.connection_pool
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        return await patiently(connection, _exchange(connection, commands))
    except BaseException:
        # Answers that are still to come must not be taken for those to the next commands.
        await connection.disconnect(nowait=True)
        raise
    finally:
        await pool.release(connection)


async def patiently(connection: AbstractConnection, doing: Coroutine[Any, Any, Result]) -> Result:
    """Do something on a connection for no longer than its `socket_timeout`. Raises redis-py's TimeoutError."""
    patience_seconds = connection.socket_timeout
    try:
        async with asyncio.timeout(patience_seconds):
            return await doing
    except TimeoutError as error:
        raise RedisTimeoutError(f"no answer within {patience_seconds:g} s") from error


async def sent_on(connection: AbstractConnection, commands: Sequence[Command]) -> None:
    """Send commands, and wait for nothing but room."""
    # redis-py's own patience is a task for each sending, and a timer for each answer.
    patience_seconds, connection.socket_timeout = connection.socket_timeout, None
    try:
        await connection.send_packed_command(_packed(connection, commands))
    finally:
        connection.socket_timeout = patience_seconds


async def answers_on(connection: AbstractConnection, count: int) -> list[Any]:
    """Read so many answers, a refusal as the ResponseError that it is."""
    patience_seconds, connection.socket_timeout = connection.socket_timeout, None
    try:
        return [await _answer_on(connection) for _ in range(count)]
    finally:
        connection.socket_timeout = patience_seconds


async def _exchange(connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    await sent_on(connection, commands)
    return await answers_on(connection, len(commands))


def _packed(connection: AbstractConnection, commands: Sequence[Command]) -> list[bytes]:
    packed: list[bytes] = []
    for command in commands:
        if command[0] == "RPUSH" and any(isinstance(frame, bytes) and len(frame) > _MOST_COPIED for frame in command):
            packed += connection.pack_command(*command)  # slower, but copies no chunk of a body
        else:
            packed.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # a tuple of any length
    return packed


async def _answer_on(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:
        return refusal
