"""Round trips that begin before the last one is over, on one connection, so that nothing overtakes anything."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from fast_priority.broker.round_trip import Command, answers_on, give_back, patiently, sent_on, take_connection


@dataclass
class _Line:
    """A connection with what is under way on it."""

    connection: AbstractConnection
    patience_seconds: float | None
    round_trips: int = 0
    last_read: "asyncio.Future[None] | None" = None
    is_cut: bool = False


class InOrder:
    """Sends commands as soon as they are given, and reads their answers in that order.

    Redis carries out what comes on one connection one after the other. When an answer does not come, the connection is
    cut, and whoever waits for one of a later round trip hears that they are lost as well.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._line: _Line | None = None
        self._sending = asyncio.Lock()

    async def send_together(self, commands: Sequence[Command]) -> list[Any]:
        """Do what `round_trip.send_together` does, after all that was sent before."""
        async with self._sending:
            line = await self._line_to_send_on()
            line.round_trips += 1
            read_before, read = line.last_read, asyncio.get_running_loop().create_future()
            line.last_read = read
            try:
                await patiently(line.patience_seconds, sent_on(line.connection, commands))
            except BaseException:
                await self._end_round_trip(line, read, cut=True)
                raise
        try:
            answers: list[Any] = await patiently(line.patience_seconds, self._read(line, read_before, len(commands)))
        except BaseException:
            await self._end_round_trip(line, read, cut=True)
            raise
        await self._end_round_trip(line, read)
        return answers

    async def _line_to_send_on(self) -> _Line:
        if self._line is None or self._line.is_cut:
            self._line = _Line(*await take_connection(self._redis))
        return self._line

    async def _read(self, line: _Line, read_before: "asyncio.Future[None] | None", count: int) -> list[Any]:
        if read_before is not None:
            await asyncio.shield(read_before)
        if line.is_cut:
            raise RedisConnectionError("the connection was cut, for the answers before did not come")
        return await answers_on(line.connection, count)

    async def _end_round_trip(self, line: _Line, read: "asyncio.Future[None]", *, cut: bool = False) -> None:
        if cut and not line.is_cut:
            line.is_cut = True
            # Answers that are still to come must not be taken for those to the next commands.
            await line.connection.disconnect(nowait=True)
        read.set_result(None)
        line.round_trips -= 1
        if line.round_trips == 0:
            self._line = None if self._line is line else self._line
            await give_back(self._redis, line.connection, line.patience_seconds)
