"""Several commands as one round trip."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

Argument = str | bytes | int | float
Command = tuple[Argument, ...]
"""A command of Redis's own."""


async def send_together(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one go and give what each is answered, a refusal as the ResponseError that it is.

    Redis carries them out one after the other, and others' in between. One that blocks holds back those behind it; they
    are carried out in the moment in which it ends. A redis-py pipeline does the same for half as much again of
    the CPU's time. Raises what redis-py raises when Redis is away; then some may have been carried out.
    """
    pool = redis.connection_pool
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.send_packed_command(connection.pack_commands(commands))
        return [await _answer_on(connection) for _ in commands]
    except BaseException:
        # Answers that are still to come must not be taken for those to the next commands.
        await connection.disconnect(nowait=True)
        raise
    finally:
        await pool.release(connection)


async def _answer_on(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:
        return refusal
