"""Frames for one process, gateway or worker: a list in Redis, read by that process alone and never polled."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import CONNECTION_ERRORS, Command, connect, send_together
from fast_priority.protocol.frames import Frame, UnreadableMessage, decode_frame
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 32
_MOST_LOOK_EVERY = 8
_BLOCK_SECONDS = 2
_WITHOUT_MEMORY_SECONDS = 0.2
_PATIENCE_SECONDS = 3.0  # a server that was replaced may leave the connection to it silent for ever


class Mailbox:
    """Reads what others say to this process, and hands each frame to `hear`: in order, at least once.

    What is read is first moved aside, to a list that only this process writes, and leaves it with the next read: a
    connection that breaks loses nothing. A frame then may come twice, which whoever hears it has to bear.

    `expects_much` tells whether frames are likely to be there already: then they are read many at a time, without
    blocking first.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        hear: Callable[[Frame], None],
        expects_much: Callable[[], bool] = lambda: True,
    ) -> None:
        self._key = keys.inbox(name)
        self._aside = keys.set_aside(name)
        self._redis: Redis = connect(options, _BLOCK_SECONDS + _PATIENCE_SECONDS)
        self._hear = hear
        self._expects_much = expects_much
        self._rubbish = OutageLog("dropped what was no frame", logger)
        self._handed_over = 0  # how many at the head of the list aside have been heard
        self._more_is_aside = True
        self._more_may_be_there = True
        self._alone_in_a_row = 0
        self._look_every = 1

    async def read_once(self) -> None:
        """Wait for frames, and hand over what is there. Raises what redis-py raises."""
        frames = await self._read()
        for data in frames:
            try:
                frame = decode_frame(data)
            except UnreadableMessage as error:
                self._rubbish.failure(error)
            else:
                self._hear(frame)
        self._handed_over = len(frames)
        await asyncio.sleep(0)  # those who waited go on first, and then the next read

    async def close(self) -> None:
        """Remove the mailbox, with what is in it, and close the connection."""
        with suppress(*CONNECTION_ERRORS):  # it expires by itself
            await self._redis.delete(self._key, self._aside)
        await self._redis.aclose()

    async def _read(self) -> list[bytes]:
        # Should this fail, nobody knows whether they have left the list: then they are heard once more.
        handed_over, self._handed_over = self._handed_over, 0
        left: list[Command] = [("LTRIM", self._aside, handed_over, -1)] if handed_over else []
        if self._more_is_aside or (self._more_may_be_there and self._expects_much()):
            return await self._look(left)
        return await self._wait(left)

    async def _look(self, left: list[Command]) -> list[bytes]:
        """Take what is there, if anything."""
        self._more_is_aside = True  # unless we hear that it is not
        # All that has come is moved at once, without a copy; while some of it is unread, what comes later waits.
        # A mailbox may be renamed before its writer's EXPIRE has come: then nothing else would end it with its reader.
        expire: Command = ("EXPIRE", self._aside, keys.INBOX_TTL_SECONDS)
        answers = await send_together(
            self._redis,
            [*left, ("RENAMENX", self._key, self._aside), expire, ("LRANGE", self._aside, 0, _MOST_AT_ONCE - 1)],
        )
        frames = answers[-1]
        if isinstance(frames, ResponseError):
            raise frames
        self._more_is_aside = len(frames) == _MOST_AT_ONCE
        self._more_may_be_there = len(frames) > 1
        self._look_every = 1 if frames else min(2 * self._look_every, _MOST_LOOK_EVERY)
        return frames  # type: ignore[no-any-return]

    async def _wait(self, left: list[Command]) -> list[bytes]:
        """Block until a frame comes; for so long at most that a dead connection is noticed."""
        self._more_is_aside = True
        move: Command = ("BLMOVE", self._key, self._aside, "LEFT", "RIGHT", _BLOCK_SECONDS)
        # A list that is moved to is a new one, without an end; one that is renamed keeps its own.
        expire: Command = ("EXPIRE", self._aside, keys.INBOX_TTL_SECONDS)
        *_, moved, _ = await send_together(self._redis, [*left, move, expire])
        if isinstance(moved, ResponseError):
            if not scripts.is_out_of_memory(moved):
                raise moved
            await asyncio.sleep(_WITHOUT_MEMORY_SECONDS)  # and then look, which needs none
            return []
        self._more_is_aside = False
        # Where frames come one by one, a look for more behind each is a round trip for nothing.
        self._alone_in_a_row += 1
        self._more_may_be_there = moved is None or self._alone_in_a_row >= self._look_every
        if self._more_may_be_there:
            self._alone_in_a_row = 0
        return [] if moved is None else [moved]
