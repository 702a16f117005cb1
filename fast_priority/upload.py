"""A request's body that comes in pieces, on its way to the target while that may answer already."""

import asyncio
from collections.abc import AsyncIterator, Callable

from fast_priority.errors import MalformedRequest
from fast_priority.message import Bytes
from fast_priority.silence import Patience
from fast_priority.target_connection import OneAnswerARequest

_LAST_CHUNK = b"0\r\n\r\n"


class Upload:
    """Sends a request of which the body comes in pieces: of `declared_bytes`, or in chunks if that is None.

    The head goes with the first piece: of a body that never begins, the target hears nothing. No more is taken of the
    body than the target takes. What the body raises, whoever waits for the answer has instead; see `failure`. Just
    before the first byte `check_wanted` is called, which may raise as well.
    """

    def __init__(
        self,
        head: bytes,
        pieces: AsyncIterator[Bytes],
        declared_bytes: int | None,
        connection: OneAnswerARequest,
        patience: Patience,
        check_wanted: Callable[[], None],
    ) -> None:
        self.failure: Exception | None = None
        """What the body raised."""
        self.is_whole = False
        """Whether all of it has been sent."""
        self._unsent = head
        self._pieces = pieces
        self._declared_bytes = declared_bytes
        self._size = 0
        self._connection = connection
        self._patience = patience
        self._check_wanted = check_wanted
        self._task: asyncio.Task[None] | None = asyncio.create_task(self._send())

    async def end(self) -> None:
        """Send no more of it."""
        # A task that was cancelled remembers where, and so this upload: let go, lest it be a circle.
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _send(self) -> None:
        try:
            self._patience.wait_for_body(True)
            async for piece in self._pieces:
                self._patience.wait_for_body(False)
                if not await self._goes_on_after(self._framed(piece)):
                    return
                self._patience.wait_for_body(True)
            self._patience.wait_for_body(False)
            if await self._goes_on_after(self._ending()):
                self.is_whole = True
        except Exception as error:
            self.failure = error
            self._connection.give_up(error)

    async def _goes_on_after(self, framed: bytes) -> bool:
        if not self._connection.write(framed):
            return False
        try:
            await self._connection.taken()
        except OSError:  # whoever waits for the answer hears of it
            return False
        return True

    def _framed(self, piece: Bytes) -> bytes:
        self._size += len(piece)
        if self._declared_bytes is not None and self._size > self._declared_bytes:
            raise MalformedRequest("its body is longer than its Content-Length")
        head = self._take_head()
        if self._declared_bytes is None and piece:
            return b"".join((head, b"%x\r\n" % len(piece), piece, b"\r\n"))
        return head + piece

    def _ending(self) -> bytes:
        if self._declared_bytes not in (None, self._size):
            raise MalformedRequest("its body is shorter than its Content-Length")
        head = self._take_head()
        return head + _LAST_CHUNK if self._declared_bytes is None else head

    def _take_head(self) -> bytes:
        """Give the head if it is still to be sent."""
        head, self._unsent = self._unsent, b""
        if head:
            self._check_wanted()
        return head
