"""The target's response as it arrives: its head, and its body in pieces or whole."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from http import HTTPStatus

import aiohttp
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from fast_priority.errors import ResponseBodyTooLarge
from fast_priority.http.fields import (
    check_response_framing,
    check_response_head,
    content_length,
    end_to_end_response_fields,
)
from fast_priority.http.keep_alive import idle_seconds
from fast_priority.http.limits import MOST_RESPONSE_FIELDS_BYTES, MOST_WHOLE_BODY_BYTES
from fast_priority.http.memo import memoized
from fast_priority.http.message import Bytes, Field, Fields, HttpVersion

QUICK_SECONDS = 0.002
"""How long a small body is waited for, so that it can be sent on in one piece."""
QUICK_AND_DECLARED_SECONDS = 0.02
"""The same for a body whose length is known. Most likely the target made it whole, so it is worth more waiting."""

NextPiece = Callable[[StreamReader], Awaitable[bytes]]


class Response:
    """The head of the target's response, and its body as it arrives.

    A head that cannot be sent on to a client is a TargetError. A body of over `most_bytes` (0: no limit) is a
    ResponseBodyTooLarge. `next_piece` waits for what comes next.
    """

    def __init__(
        self,
        message: RawResponseMessage,
        content: StreamReader,
        most_bytes: int,
        next_piece: NextPiece,
        *,
        is_to_head: bool = False,
    ) -> None:
        self._content = content
        self._most_bytes = most_bytes
        self._next_of = next_piece
        self._is_slow = False
        self._read_ahead: list[bytes] = []
        self._size = 0
        self.head_at = time.monotonic()
        """When its head came."""
        self.status: int = message.code
        self.http_version: HttpVersion = "1.0" if message.version == aiohttp.HttpVersion10 else "1.1"
        self.fields: Fields
        self.fields, self._declared, self.idle_seconds = _read_fields(message.raw_headers, self.status)
        has_no_body = is_to_head or self.status == HTTPStatus.NOT_MODIFIED
        if most_bytes and self._declared is not None and self._declared > most_bytes and not has_no_body:
            raise ResponseBodyTooLarge(f"its body has {self._declared} bytes, and {most_bytes} are taken")

    @property
    def is_small(self) -> bool:
        """Whether the body is small, as far as is known yet."""
        return max(self._declared or 0, self._content.total_bytes) <= MOST_WHOLE_BODY_BYTES

    @property
    def quick_seconds(self) -> float:
        """How long it is worth waiting for a small body to be whole."""
        return QUICK_SECONDS if self._declared is None else QUICK_AND_DECLARED_SECONDS

    def mark_slow(self) -> None:
        """Note that `quick_seconds` have passed, and the body is not whole."""
        self._is_slow = True

    def whole_now(self) -> bytes | None:
        """Return the body if it is small and has arrived whole, else None. Raises ResponseBodyTooLarge."""
        if self._content.is_eof() and self.is_small:
            return self._counted(self._content.read_nowait())
        return None

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Yield the body as it arrives, in pieces of any size.

        Raises ResponseIncomplete when it ends before it is whole, and ResponseBodyTooLarge.
        """
        read_ahead, self._read_ahead = self._read_ahead, []
        for piece in read_ahead:
            yield piece
        while piece := await self._next_piece():
            yield piece

    async def whole_if_quick(self) -> bytes | None:
        """Return the body if it is small and arrives at once. Return None if not: then `chunks` yields all of it.

        Most responses are so, and cost less in one piece. Raises as `chunks` does.
        """
        if self._content.is_eof():  # what has arrived already needs no timer, and comes in one piece
            return await self._whole_if_small()
        if self._is_slow or not self.is_small:
            return None
        try:
            async with asyncio.timeout(self.quick_seconds):
                return await self._whole_if_small()
        except TimeoutError:
            return None

    async def _whole_if_small(self) -> bytes | None:
        while self._size <= MOST_WHOLE_BODY_BYTES:
            is_last = self._content.is_eof()
            piece = await self._next_piece()
            if is_last and not self._read_ahead and len(piece) <= MOST_WHOLE_BODY_BYTES:
                return piece
            if not piece:
                return b"".join(self._read_ahead)
            self._read_ahead.append(piece)
        return None

    async def _next_piece(self) -> bytes:
        return self._counted(await self._next_of(self._content))

    def _counted(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._most_bytes and self._size > self._most_bytes:
            raise ResponseBodyTooLarge(f"its body has more than {self._most_bytes} bytes")
        return piece


@memoized
def _read_fields(fields: Sequence[Field], status: int) -> tuple[Fields, int | None, float]:
    """Return the fields for the client, the declared length of the body, and how long the connection may be idle."""
    received = list(fields)
    check_response_framing(received, MOST_RESPONSE_FIELDS_BYTES)
    end_to_end = end_to_end_response_fields(received)
    check_response_head(status, end_to_end)
    return end_to_end, content_length(received), idle_seconds(received)
