"""The frames for one process, a gateway or a worker: a list in Redis that this process alone reads, without polling.

Theory of operation. A reader first moves frames from its mailbox to its processing list, which no other process writes,
and reads them there. They leave the list with the next read. So a connection that breaks loses no frame, but the reader
may receive a frame twice. There are two ways to move frames. `_wait` blocks until one comes, and moves that one.
`_look` moves the whole mailbox at once, without blocking: it renames the mailbox to the processing list. A look costs a
round trip, so a reader looks only where it expects more than one frame.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import CONNECTION_ERRORS, Command, connect, send_together
from fast_priority.errors import GatewayError, NewerWireVersion
from fast_priority.protocol.frames import Frame, NewerFrame, UnreadableMessage, decode_frame
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 32
_MOST_LOOK_EVERY = 8
_PLACEHOLDER = b""  # no frame is empty
_BLOCK_SECONDS = 2
_WITHOUT_MEMORY_SECONDS = 0.2
_PATIENCE_SECONDS = 3.0  # a server that was replaced may never close the connection to it


class Mailbox:
    """Reads the frames for this process, and calls `receive` with each frame: in order, at least once.

    For a frame of a newer wire version it calls `fail`, with the id of the request and the error that ends it.
    `expects_many` returns whether several frames are likely to be there. Then they are read many at a time, without
    blocking first.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        receive: Callable[[Frame], None],
        expects_many: Callable[[], bool] = lambda: True,
        fail: Callable[[str, GatewayError], None] = lambda request_id, error: None,
    ) -> None:
        self._key = keys.inbox(name)
        self._processing = keys.processing_list(name)
        self._redis: Redis = connect(options, _BLOCK_SECONDS + _PATIENCE_SECONDS)
        self._receive = receive
        self._fail = fail
        self._expects_many = expects_many
        self._unreadable = OutageLog("dropped an unreadable frame", logger)
        self._received = 0  # how many frames at the head of the processing list were received
        self._more_is_processing = True
        self._more_may_be_there = True
        self._single_in_a_row = 0
        self._look_every = 1

    async def read_once(self) -> None:
        """Wait for frames, and receive those that are there. Raises what redis-py raises."""
        entries = await self._read()
        for data in entries:
            if data == _PLACEHOLDER:
                continue
            try:
                frame = decode_frame(data)
            except NewerFrame as error:
                self._unreadable.failure(error)
                self._fail(error.request_id, NewerWireVersion(f"a frame of it cannot be read: {error}"))
            except UnreadableMessage as error:
                self._unreadable.failure(error)
            else:
                self._receive(frame)
        self._received = len(entries)
        await asyncio.sleep(0)  # the tasks that wait for these frames run before the next read

    async def close(self) -> None:
        """Remove the mailbox with its frames, and close the connection."""
        with suppress(*CONNECTION_ERRORS):  # it also expires
            await self._redis.delete(self._key, self._processing)
        await self._redis.aclose()

    async def _read(self) -> list[bytes]:
        # If this fails, it is unknown whether the frames have left the list. Then they are received again.
        received, self._received = self._received, 0
        remove: list[Command] = [("LTRIM", self._processing, received, -1)] if received else []
        if self._more_is_processing or (self._more_may_be_there and self._expects_many()):
            return await self._look(remove)
        return await self._wait(remove)

    async def _look(self, remove: list[Command]) -> list[bytes]:
        """Read the frames that are there, if any."""
        self._more_is_processing = True  # until an answer shows that there is no more
        # RENAMENX moves all frames at once, without a copy. While some of them are unread, later frames stay in the
        # mailbox. The mailbox may be renamed before its writer's EXPIRE arrives, so the list needs a TTL of its own.
        expire: Command = ("EXPIRE", self._processing, times.INBOX_TTL_SECONDS)
        move: Command = ("RENAMENX", self._key, self._processing)
        read: Command = ("LRANGE", self._processing, 0, _MOST_AT_ONCE - 1)
        *_, frames = await send_together(self._redis, [*remove, move, expire, read])
        if isinstance(frames, ResponseError):
            raise frames
        self._more_is_processing = len(frames) == _MOST_AT_ONCE
        self._more_may_be_there = len(frames) > 1
        self._look_every = 1 if frames else min(2 * self._look_every, _MOST_LOOK_EVERY)
        return frames  # type: ignore[no-any-return]

    async def _wait(self, remove: list[Command]) -> list[bytes]:
        """Wait until a frame comes, but no longer than it takes to notice a dead connection."""
        self._more_is_processing = True
        move: Command = ("BLMOVE", self._key, self._processing, "LEFT", "RIGHT", _BLOCK_SECONDS)
        # BLMOVE makes a new list, without a TTL, and this process may be killed before it could set one. So the list is
        # there before, with a placeholder and a TTL.
        hold: Command = ("RPUSH", self._processing, _PLACEHOLDER)
        expire: Command = ("EXPIRE", self._processing, times.INBOX_TTL_SECONDS)
        *_, held, _, moved = await send_together(self._redis, [*remove, hold, expire, move])
        if isinstance(moved, ResponseError):
            if not scripts.is_out_of_memory(moved):
                raise moved
            await asyncio.sleep(_WITHOUT_MEMORY_SECONDS)  # and then look, which needs no memory
            return []
        self._more_is_processing = False
        # Where frames come one by one, a look after each of them would find nothing.
        self._single_in_a_row += 1
        self._more_may_be_there = moved is None or self._single_in_a_row >= self._look_every
        if self._more_may_be_there:
            self._single_in_a_row = 0
        entries = [] if isinstance(held, ResponseError) else [_PLACEHOLDER]
        return entries if moved is None else [*entries, moved]
