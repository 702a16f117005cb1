"""A request's body that comes in pieces, on its way to the target, which may answer meanwhile."""

import asyncio
from collections.abc import AsyncIterator

from fast_priority.errors import MalformedRequest
from fast_priority.http.message import Bytes
from fast_priority.target.connection import InactivityTimer, TargetConnection

_LAST_CHUNK = b"0\r\n\r\n"


class Upload:
    """Sends a request whose body comes in pieces: with `declared_bytes`, or in chunks if that is None.

    The head goes with the first piece: if the body never begins, nothing is sent. No more of the body is read than the
    target takes. An error of the body, once it is under way, is raised where the response is awaited; see `failure`.
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

    def try_on(self, connection: TargetConnection, timer: InactivityTimer) -> bool:
        """Send the head with the first piece, and the rest in a task as it comes.

        Return False if no byte was sent: then another connection may be tried.
        """
        if not connection.write(self._head + self._first):
            return False
        self._first = b""  # it is needed no more
        self._task = asyncio.create_task(self._send_rest(connection, timer))
        return True

    async def end(self) -> None:
        """Send no more of it."""
        # A task that was cancelled keeps its stack, which refers to this upload: without a reference back, no cycle.
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _send_rest(self, connection: TargetConnection, timer: InactivityTimer) -> None:
        try:
            if not await _is_taken(connection):
                return
            if not self._has_ended:
                timer.wait_for_body(True)
                async for piece in self._pieces:
                    timer.wait_for_body(False)
                    if not await _goes_on_after(self._framed(piece), connection):
                        return
                    timer.wait_for_body(True)
                timer.wait_for_body(False)
                if not await _goes_on_after(self._ending(), connection):
                    return
            self.is_whole = True
        except Exception as error:
            self.failure = error
            connection.fail(error)

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
        await connection.drained()
    except OSError:  # it is raised where the response is awaited
        return False
    return True
