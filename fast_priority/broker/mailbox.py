"""Frames for one process, gateway or worker: a list in Redis, read by that process alone and never polled."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from fast_priority.broker import connecting, keys
from fast_priority.message import Frame, UnreadableMessage, decode_frame

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 32
_MOST_LOOK_EVERY = 8
_BLOCK_SECONDS = 5
_PATIENCE_SECONDS = 10.0  # nobody hears of a slow read, and a frame that was popped for nobody is lost


class Mailbox:
    """Reads what others say to this process, and hands each frame to `hear`.

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
        self._redis: Redis = connecting.connect(options, _PATIENCE_SECONDS)
        self._blocking: Redis = connecting.connect(options, _BLOCK_SECONDS + _PATIENCE_SECONDS)
        self._hear = hear
        self._expects_much = expects_much
        self._more_may_be_there = True
        self._alone_in_a_row = 0
        self._look_every = 1

    async def read_once(self) -> None:
        """Wait for frames, and hand over what is there. Raises what redis-py raises."""
        for data in await self._read():
            try:
                frame = decode_frame(data)
            except UnreadableMessage as error:
                logger.warning("dropped what was no frame: %s", error)
            else:
                self._hear(frame)
        await asyncio.sleep(0)  # those who waited go on first, and then the next read

    async def close(self) -> None:
        """Remove the mailbox, with what is in it, and close the connections."""
        with suppress(*connecting.LOST):  # it expires by itself
            await self._redis.delete(self._key)
        await self._redis.aclose()
        await self._blocking.aclose()

    async def _read(self) -> list[bytes]:
        if self._more_may_be_there and self._expects_much():
            frames: list[bytes] | None = await self._redis.lpop(self._key, _MOST_AT_ONCE)  # type: ignore[assignment]
            self._more_may_be_there = frames is not None and len(frames) > 1
            self._look_every = 1 if frames else min(2 * self._look_every, _MOST_LOOK_EVERY)
            if frames:
                return frames
        popped = await self._blocking.blpop([self._key], timeout=_BLOCK_SECONDS)
        # Where frames come one by one, a look for more behind each is a round trip for nothing.
        self._alone_in_a_row += 1
        self._more_may_be_there = popped is None or self._alone_in_a_row >= self._look_every
        if self._more_may_be_there:
            self._alone_in_a_row = 0
        return [popped[1]] if popped else []  # type: ignore[list-item]
