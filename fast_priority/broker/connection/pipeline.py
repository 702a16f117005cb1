"""Several commands in one round trip."""

from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fast_priority.broker.connection.pool import NotCarriedOut, closed
from fast_priority.support.stalls import Timeout

Argument = str | bytes | int | float
Command = tuple[Argument, ...]
"""A command of Redis's own."""

_MOST_BYTES_COPIED = 16 * 1024


async def send_together(redis: Redis, commands: Sequence[Command], within_seconds: float | None = None) -> list[Any]:
    """Send commands together and return their answers. The answer to a refused command is its ResponseError.

    Redis carries them out in this order, possibly with commands of other clients in between. A command that blocks
    delays those behind it; they are carried out in the moment in which it ends. All of it takes no longer than the
    client's `socket_timeout`, or than `within_seconds` if given, which includes the time to connect. Raises
    NotCarriedOut if nothing was written. Otherwise raises what redis-py raises when Redis is away; then some commands
    may have been carried out.
    """
    if within_seconds is None:
        connection = await borrow(redis)
        return await _exchange_on(redis, connection, commands, connection.socket_timeout)
    is_written = False
    try:
        async with Timeout(within_seconds):
            connection = await borrow(redis)
            is_written = True
            return await _exchange_on(redis, connection, commands, None)
    except TimeoutError as error:
        failure = RedisTimeoutError if is_written else NotCarriedOut
        raise failure(f"no answer within {within_seconds:.3g} s") from error


async def borrow(redis: Redis) -> AbstractConnection:
    """Return a connected connection of the pool. Raises NotCarriedOut."""
    try:
        connection: AbstractConnection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    except NotCarriedOut:
        raise
    except (RedisError, OSError) as error:
        raise NotCarriedOut(str(error)) from error
    return connection


async def _exchange_on(
    redis: Redis, connection: AbstractConnection, commands: Sequence[Command], timeout_seconds: float | None
) -> list[Any]:
    try:
        return await _exchange(connection, commands, timeout_seconds)
    except BaseException:
        # Answers that are still to come must not be read as answers to the next commands.
        await connection.disconnect(nowait=True)
        raise
    finally:
        await redis.connection_pool.release(connection)


async def _exchange(
    connection: AbstractConnection, commands: Sequence[Command], timeout_seconds: float | None
) -> list[Any]:
    # One timeout for all answers. redis-py would use one for each answer, and a new task for each write.
    own_timeout, connection.socket_timeout = connection.socket_timeout, None
    try:
        async with Timeout(timeout_seconds):
            await _write(connection, packed(connection, commands))
            return [await answer_on(connection) for _ in commands]
    except TimeoutError as error:
        raise RedisTimeoutError(f"no answer within {timeout_seconds} s") from error
    finally:
        connection.socket_timeout = own_timeout


async def _write(connection: AbstractConnection, packed: list[bytes]) -> None:
    try:
        await connection.send_packed_command(packed)
    except RuntimeError as error:  # uvloop refuses a write on a connection that is closed
        raise closed(error) from error


def packed(connection: AbstractConnection, commands: Sequence[Command]) -> list[bytes]:
    """Return the commands as they are written."""
    parts: list[bytes] = []
    for command in commands:
        # redis-py packs slowly, but does not copy large values.
        if [part for part in command if isinstance(part, bytes) and len(part) > _MOST_BYTES_COPIED]:
            parts += connection.pack_command(*command)
        else:
            parts.append(hiredis.pack_command(command))  # type: ignore[arg-type]  # a tuple of any length
    return parts


async def answer_on(connection: AbstractConnection, timeout: float | None = None) -> Any:
    """Return the next answer; that to a refused command is its ResponseError. `timeout` is redis-py's."""
    try:
        return await connection.read_response(timeout=timeout)
    except ResponseError as refusal:
        # Its traceback refers to frames that refer to it: a reference cycle.
        return refusal.with_traceback(None)
