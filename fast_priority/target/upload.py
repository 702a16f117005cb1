"""A request's body that comes in pieces, on its way to the target while that may answer already."""

import asyncio
from collections.abc import AsyncIterator

from fast_priority.errors import MalformedRequest
from fast_priority.http.message import Bytes
from fast_priority.target.connection import TargetConnection
from fast_priority.target.inactivity import InactivityTimer

_LAST_CHUNK = b"0\r\n\r\n"


class Upload:
    """Sends a request of which the body comes in pieces: of `declared_bytes`, or in chunks if that is None.

    The head goes with the first piece: of a body that never begins, the target hears nothing. No more is taken of the
    body than the target takes. What the body raises once it is under way, whoever waits for the answer has instead; see
    `failure`.
    """

    def __init__(self, head: bytes, pieces: AsyncIterator[Bytes], declared_bytes: int | None) -> None:
        self.failure: Exception | None = None
        """What the body raised."""
        self.is_whole = False
        """Whether all of it has been sent."""
        self._head = head
        self._first = b""
        self._pieces = pieces
        self._has_ended = False
        self._declared_bytes = declared_bytes
        self._size = 0
        self._task: asyncio.Task[None] | None = None

    async def read_first_piece(self) -> None:
        """Wait for the first piece of the body, or for its end. Raises what the body raises, and MalformedRequest."""
        async for piece in self._pieces:
            self._first = self._framed(piece)
            return
        self._has_ended = True
        self._first = self._ending()

    def begins_on(self, connection: TargetConnection, patience: InactivityTimer) -> bool:
        """Send the head with the first piece, and the rest as it comes.

        Return False if no byte of it has left us; then it may begin on another connection.
        """
        if not connection.write(self._head + self._first):
            return False
        self._first = b""  # nobody needs it any more
        self._task = asyncio.create_task(self._send_rest(connection, patience))
        return True

    async def end(self) -> None:
        """Send no more of it."""
        # A task that was cancelled remembers where, and so this upload: let go, lest it be a circle.
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _send_rest(self, connection: TargetConnection, patience: InactivityTimer) -> None:
        try:
            if not await _is_taken(connection):
                return
            if not self._has_ended:
                patience.wait_for_body(True)
                async for piece in self._pieces:
                    patience.wait_for_body(False)
                    if not await _goes_on_after(self._framed(piece), connection):
                        return
                    patience.wait_for_body(True)
                patience.wait_for_body(False)
                if not await _goes_on_after(self._ending(), connection):
                    return
            self.is_whole = True
        except Exception as error:
            self.failure = error
            connection.give_up(error)

    def _framed(self, piece: Bytes) -> bytes:
        self._size += len(piece)
        if self._declared_bytes is None and piece:
            return b"".join((b"%x\r\n" % len(piece), piece, b"\r\n"))
        if self._declared_bytes is not None and self._size > self._declared_bytes:
            raise MalformedRequest("its body is longer than its Content-Length")
        return bytes(piece)

    def _ending(self) -> bytes:
        if self._declared_bytes not in (None, self._size):
            raise MalformedRequest("its body is shorter than its Content-Length")
        return _LAST_CHUNK if self._declared_bytes is None else b""


async def _goes_on_after(framed: bytes, connection: TargetConnection) -> bool:
    return connection.write(framed) and await _is_taken(connection)


async def _is_taken(connection: TargetConnection) -> bool:
    try:
        await connection.taken()
    except OSError:  # whoever waits for the answer hears of it
        return False
    return True
