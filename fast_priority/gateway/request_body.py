"""The body of one request: it is read from the client only when it is needed, and not slower than is allowed."""

import asyncio
import math
from collections.abc import AsyncIterator

from starlette.types import Message, Receive

from fast_priority.errors import ClientLeft, MalformedRequest, RequestBodyTooLarge, RequestTimeout
from fast_priority.gateway.held_bodies import HeldBodies
from fast_priority.http.limits import MOST_WHOLE_BODY_BYTES
from fast_priority.http.message import Bytes
from fast_priority.server import ClientConnection
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.stalls import RunningClock, Timeout

_PIECE_BYTES = 64 * 1024


class RequestBody:
    """The body of a request. Raises RequestBodyTooLarge if its declared length is over `most_bytes`; 0 is no limit.

    `declared_bytes` is its Content-Length; None if it has none. `timeout` bounds the time in which it comes. With
    `comes_when_asked_for`, the client waits for 100 Continue, which the server sends when the body is read. `clock` is
    shared by all bodies of an event loop: while that stands still, nobody waits for the client.
    """

    def __init__(
        self,
        declared_bytes: int | None,
        receive: Receive,
        most_bytes: int,
        timeout: RateTimeout,
        connection: ClientConnection | None = None,
        *,
        comes_when_asked_for: bool = False,
        clock: RunningClock | None = None,
    ) -> None:
        self._clock = clock or RunningClock()
        self._receive = receive
        self._most_bytes = most_bytes or math.inf
        self._timeout = timeout
        self._connection = connection
        self._comes_when_asked_for = comes_when_asked_for
        self._is_read = False
        self._was_read: asyncio.Event | None = None
        self._declared_bytes = declared_bytes
        if declared_bytes is not None and declared_bytes > self._most_bytes:
            raise self._too_large()
        self._is_empty = declared_bytes == 0
        self._is_small = declared_bytes is not None and declared_bytes <= MOST_WHOLE_BODY_BYTES
        self._is_held_whole = False
        self._begun: bytes | bytearray = b""
        self._held: HeldBodies | None = None
        self._size_bytes = 0
        self.was_handed_on = False
        """Whether a part of it has been yielded by `chunks`, and is not held here any more."""

    @property
    def can_be_sent_again(self) -> bool:
        """Whether `chunks`, or what `read_ahead` returned, still has all of it."""
        return self._is_held_whole or not self.was_handed_on

    async def read_and_hold(self, held: HeldBodies) -> bytes | bytearray | None:
        """Return the whole body, whose length is declared. `read_ahead` and `chunks` still have all of it.

        Return None if there is no room for it in `held`: then nothing is read. Raises as `chunks` does. Call `release`
        in any case.
        """
        if not self._is_small:
            if self._declared_bytes is None or not held.take(self._declared_bytes):
                return None
            self._held = held
        if self._connection is not None:
            self._connection.let_body_flow()
        whole = bytearray()
        while piece := await self._next_piece():
            whole += piece
        self._begun = whole
        return whole

    def release(self) -> None:
        """Hold nothing of it any more that `read_and_hold` has read."""
        if self._held is not None and self._declared_bytes is not None:
            self._held.give_back(self._declared_bytes)
            self._held, self._begun = None, b""

    async def read_ahead(self) -> bytes | None:
        """Return the whole body if it is small. Else wait for its first piece and return None: `chunks` has all of it.

        If the client waits for 100 Continue, do not wait for the first piece. Raises as `chunks` does.
        """
        if self._is_empty:
            self._note_read()  # there is nothing to read
            return b""
        if self._is_small:
            self._is_held_whole = True
            return b"".join([chunk async for chunk in self.chunks()])
        if not self._comes_when_asked_for and not self._begun:
            if self._connection is not None:
                self._connection.hold_body()
            self._begun = await self._next_piece()
        return None

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Yield the body as it comes.

        Raises ClientLeft, RequestBodyTooLarge as soon as it is over the limit, RequestTimeout if the client is too
        slow, and MalformedRequest if it is not as long as declared: a middleware may have replaced it.
        """
        if self._connection is not None:
            self._connection.let_body_flow()
        begun, self._begun = memoryview(self._begun), b""
        for start in range(0, len(begun), _PIECE_BYTES):
            self.was_handed_on = True
            yield begun[start : start + _PIECE_BYTES]
        while piece := await self._next_piece():
            self.was_handed_on = True
            yield piece
        self.was_handed_on = True

    async def client_left(self) -> None:
        """Return when the client has left. A server reports that to `receive`, after the body has been read."""
        if not self._is_read:
            self._was_read = asyncio.Event()
            await self._was_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass  # the end of a body that was not read

    async def _next_piece(self) -> bytes:
        """Return the next piece that is not empty; b"" at the end."""
        while not self._is_read:
            message = await self._message()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            piece: bytes = message.get("body", b"")
            self._size_bytes += len(piece)
            if self._size_bytes > self._most_bytes:
                raise self._too_large()
            is_last = not message.get("more_body", False)
            self._check_length(is_whole=is_last)
            if is_last:
                self._note_read()
            if piece:
                return piece
        return b""

    def _check_length(self, *, is_whole: bool) -> None:
        declared_bytes = self._declared_bytes
        if declared_bytes is None:
            return
        if self._size_bytes > declared_bytes or (is_whole and self._size_bytes < declared_bytes):
            raise MalformedRequest("its body is not as long as its Content-Length")

    def _note_read(self) -> None:
        self._is_read = True
        if self._was_read is not None:
            self._was_read.set()

    async def _message(self) -> Message:
        while True:
            began_at, may_wait_seconds = self._clock.seconds(), self._timeout.remaining_seconds
            try:
                with self._clock.watched():
                    async with Timeout(may_wait_seconds):
                        message = await self._receive()
            except TimeoutError:
                self._timeout.count(self._clock.seconds() - began_at, 0)
                if self._timeout.is_over:
                    raise self._too_slow() from None
                continue  # the loop stood still for a part of that time
            waited_seconds = min(self._clock.seconds() - began_at, may_wait_seconds)
            self._timeout.count(waited_seconds, len(message.get("body", b"")))
            return message

    def _too_slow(self) -> RequestTimeout:
        return RequestTimeout(f"its body came with {self._timeout}")

    def _too_large(self) -> RequestBodyTooLarge:
        return RequestBodyTooLarge(f"a request body may have {self._most_bytes} bytes (FAST_PRIORITY_MAX_BODY)")
