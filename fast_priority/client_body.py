"""The body of one request, as the server receives it from the client."""

import asyncio
import math
from collections.abc import AsyncIterator

from fast_priority.asgi import ClientLeft, Message, Receive
from fast_priority.errors import MalformedRequest, RequestBodyTooLarge, RequestTimeout
from fast_priority.exchange import MOST_WHOLE_BYTES
from fast_priority.message import SLOWEST_BYTES_PER_SECOND, Bytes


class ClientBody:
    """A body that is read when somebody wants it. Raises RequestBodyTooLarge if it is declared too large.

    `declared_bytes` is the length that it says it has; None if it says none.
    """

    def __init__(
        self,
        declared_bytes: int | None,
        receive: Receive,
        most_bytes: int,
        patience_seconds: float,
    ) -> None:
        self._receive = receive
        self._most_bytes = most_bytes or math.inf
        self._patience_seconds = patience_seconds
        self._is_read = False
        self._was_read: asyncio.Event | None = None
        self._length_is_declared = declared_bytes is not None
        self._declared_bytes = declared_bytes or 0
        if self._declared_bytes > self._most_bytes:
            raise self._too_large()
        self._is_empty = declared_bytes == 0
        self.is_small = declared_bytes is not None and declared_bytes <= MOST_WHOLE_BYTES
        """Whether it is small enough to be read before anybody wants it."""

    async def whole(self) -> bytes:
        """Give the whole body. It has to come faster than the slowest, and raises RequestTimeout as `chunks` does."""
        if self._is_empty:
            self._note_read()  # nothing is to be read, and nothing need be waited for
            return b""
        within_seconds = self._patience_seconds + self._declared_bytes / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(within_seconds):
                return b"".join([chunk async for chunk in self.chunks()])
        except TimeoutError as error:
            raise RequestTimeout(f"it was not whole after {within_seconds:g} s") from error

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Give the body as it comes.

        Raises ClientLeft, RequestBodyTooLarge as soon as it is, RequestTimeout for a client that stops sending, and
        MalformedRequest for a body that is not as long as declared: a middleware may have replaced it.
        """
        size, more = 0, True
        while more:
            message = await self._message()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._most_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
            if self._length_is_declared and (size > self._declared_bytes or (not more and size < self._declared_bytes)):
                raise MalformedRequest("its body is not as long as its Content-Length")
            if chunk:
                yield chunk
        self._note_read()

    async def client_left(self) -> None:
        """Return when the client has left, as a server tells it that is asked: once the body has been read."""
        if not self._is_read:
            self._was_read = asyncio.Event()
            await self._was_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass  # the end of a body that nobody had to read

    def _note_read(self) -> None:
        self._is_read = True
        if self._was_read is not None:
            self._was_read.set()

    async def _message(self) -> Message:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._receive()
        except TimeoutError as error:
            raise RequestTimeout(f"nothing came for {self._patience_seconds:g} s") from error

    def _too_large(self) -> RequestBodyTooLarge:
        return RequestBodyTooLarge(f"a request body may have {self._most_bytes} bytes (FAST_PRIORITY_MAX_BODY)")
