"""One request to the target and its response, on one connection."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus

import aiohttp
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from fast_priority.errors import NotSent, ResponseBodyTooLarge, ResponseIncomplete, TargetClosed
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
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.connection import CLIENT_FAILURES, TargetConnection
from fast_priority.target.inactivity import InactivityTimer
from fast_priority.target.pool import ConnectionPool, target_error
from fast_priority.target.upload import Upload

Body = bytes | AsyncIterator[Bytes]

QUICK_SECONDS = 0.002
# A response that says how long it is, and is short, was most likely made whole: it is worth a little more waiting.
QUICK_AND_DECLARED_SECONDS = 0.02
_MOST_NEW_CONNECTIONS = 2  # a target that closes each of them at once takes no requests


class Response:
    """The head of the target's response, and its body as it comes. A head that cannot be sent on is a TargetError."""

    def __init__(
        self, message: RawResponseMessage, content: StreamReader, most_bytes: int, exchange: "Exchange"
    ) -> None:
        self._content = content
        self._most_bytes = most_bytes
        self._exchange = exchange
        self._is_slow = False
        self._begun: list[bytes] = []
        self._size = 0
        self.status: int = message.code
        self.http_version: HttpVersion = "1.0" if message.version == aiohttp.HttpVersion10 else "1.1"
        self.fields: Fields
        self.fields, self._declared, self.idle_seconds = _read_fields(message.raw_headers, self.status)
        has_no_body = exchange.is_head or self.status == HTTPStatus.NOT_MODIFIED
        if most_bytes and self._declared is not None and self._declared > most_bytes and not has_no_body:
            raise ResponseBodyTooLarge(f"its body has {self._declared} bytes, and {most_bytes} are taken")

    @property
    def is_small(self) -> bool:
        """Whether the body is small, as far as one can tell."""
        return max(self._declared or 0, self._content.total_bytes) <= MOST_WHOLE_BODY_BYTES

    @property
    def quick_seconds(self) -> float:
        """How long it is worth waiting for a small body to be whole."""
        return QUICK_SECONDS if self._declared is None else QUICK_AND_DECLARED_SECONDS

    def be_slow(self) -> None:
        """So long it was waited for, in vain."""
        self._is_slow = True

    def whole_now(self) -> bytes | None:
        """Give the body if it is small, and all of it is there. Raises ResponseBodyTooLarge over the limit."""
        if self._content.is_eof() and self.is_small:
            return self._counted(self._content.read_nowait())
        return None

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Give the body as it arrives, in pieces of any size.

        Raises ResponseIncomplete when it ends before it is whole, and ResponseBodyTooLarge over the limit.
        """
        begun, self._begun = self._begun, []
        for piece in begun:
            yield piece
        while piece := await self._next_piece():
            yield piece

    async def whole_if_quick(self) -> bytes | None:
        """Give the body if it is small and comes at once; None if not: then `chunks` gives all of it.

        Most responses are so, and are cheaper to carry in one piece. Raises as `chunks` does.
        """
        if self._content.is_eof():  # what is there already needs no timer, and comes in one piece
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
            if is_last and not self._begun and len(piece) <= MOST_WHOLE_BODY_BYTES:
                return piece
            if not piece:
                return b"".join(self._begun)
            self._begun.append(piece)
        return None

    async def _next_piece(self) -> bytes:
        return self._counted(await self._exchange.next_piece(self._content))

    def _counted(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._most_bytes and self._size > self._most_bytes:
            raise ResponseBodyTooLarge(f"its body has more than {self._most_bytes} bytes")
        return piece


@memoized
def _read_fields(fields: Sequence[Field], status: int) -> tuple[Fields, int | None, float]:
    """Give the fields for the client, the declared length of the body, and how long the connection may be idle."""
    received = list(fields)
    check_response_framing(received, MOST_RESPONSE_FIELDS_BYTES)
    end_to_end = end_to_end_response_fields(received)
    check_response_head(status, end_to_end)
    return end_to_end, content_length(received), idle_seconds(received)


class Exchange:
    """One request and its response, on one connection that is nobody else's meanwhile."""

    def __init__(
        self,
        connections: ConnectionPool,
        deadlines: TimeoutQueue[InactivityTimer],
        head: bytes,
        body: Body,
        *,
        is_head: bool,
        declared_bytes: int | None,
        most_response_bytes: int,
        may_be_sent: Callable[[], bool],
    ) -> None:
        self.is_head = is_head
        self._connections = connections
        self._deadlines = deadlines
        self._head = head
        self._body = body if isinstance(body, bytes) else b""
        self._most_response_bytes = most_response_bytes
        self._may_be_sent = may_be_sent
        self._upload = None if isinstance(body, bytes) else Upload(head, body, declared_bytes)
        self._over_since: float | None = None
        self._idle_seconds = 0.0
        self._has_begun = False
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        if not self._has_begun:
            await self._begin()
        try:
            response, self._response = self._response or await self._answer(), None
        except BaseException:
            await self._end()
            raise
        return response

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    def begin_now(self, watch: Callable[[], None]) -> bool:
        """Send the request if nothing is to be waited for: its body is at hand, and a connection idle.

        Then `watch` is called whenever something has come of the response, and when nothing more will, until `unwatch`;
        after that the exchange is to be entered, or ended by `end_now`. Raises NotSent.
        """
        if self._upload is not None or not self._begins_on_idle():
            return False
        self._connection.watch = watch
        self._patience.await_target(True)
        return True

    def unwatch(self) -> None:
        """Tell nobody any more that something has come."""
        self._connection.watch = None

    def response_now(self) -> Response | None:
        """Give the response if its head is there. Raises as entering does for a head that cannot be sent on."""
        if self._response is None and (answer := self._connection.answer_now()) is not None:
            self._patience.await_target(False)
            self._response = self._responded(*answer)
        return self._response

    @property
    def has_failed(self) -> bool:
        """Whether nothing more will come; entering it, or reading on, raises why."""
        return self._connection.exception() is not None

    def end_now(self) -> None:
        """End what `begin_now` has begun: its connection is kept if the response is over."""
        self.unwatch()
        if self._response is None:
            self._patience.await_target(False)
        self._response = None  # which refers to this
        self._release()

    async def next_piece(self, content: StreamReader) -> bytes:
        """Give what has come of the response's body, or comes next; nothing at its end."""
        try:
            if content.is_eof():
                return await content.readany()
            self._patience.await_target(True)
            try:
                return await content.readany()
            finally:
                self._patience.await_target(False)
        except aiohttp.ClientError as error:
            self._raise_failure_of_body()
            raise ResponseIncomplete("its body ended before it was whole") from error

    async def _begin(self) -> None:
        if self._upload is not None and await self._begins_upload(self._upload):
            return
        if self._begins_on_idle():
            return
        for _ in range(_MOST_NEW_CONNECTIONS):
            connection = await self._connections.connect()
            if connection is not None and self._begins_on(connection):
                return
        raise TargetClosed("the connection ended before the request could be sent")

    async def _begins_upload(self, upload: Upload) -> bool:
        """Wait for the first piece of the body with a connection at hand: of a target that refuses it, none is taken.

        The target may close the connection meanwhile. Return False if nothing could be sent on it.
        """
        connection = self._connections.take_idle()
        is_new = connection is None  # not its truth: aiohttp takes a connection without an answer for false
        if connection is None:
            connection = await self._connections.connect()
        try:
            await upload.read_first_piece()
        except BaseException:
            if connection is not None:
                connection.end()
            raise
        if connection is None:
            return False
        # A new one may have an answer already: of a target that takes no more connections.
        if connection.is_still_idle() or (is_new and not connection.has_ended()):
            return self._begins_on(connection)
        connection.end()
        return False

    def _begins_on_idle(self) -> bool:
        while (connection := self._connections.take_idle()) is not None:
            if self._begins_on(connection):
                return True
        return False

    def _begins_on(self, connection: TargetConnection) -> bool:
        """Send what there is of the request. Return False if no byte of it has left us: that was no attempt."""
        patience = InactivityTimer(self._deadlines, connection.give_up)
        try:
            self._has_begun = self._is_sent_on(connection, patience)
        except BaseException:
            connection.end()
            raise
        if self._has_begun:
            self._connection, self._patience = connection, patience
        else:
            connection.end()
        return self._has_begun

    def _is_sent_on(self, connection: TargetConnection, patience: InactivityTimer) -> bool:
        if not self._may_be_sent():
            raise NotSent("its worker was away for so long that somebody else may have it")
        connection.expect_answer(to_head=self.is_head)
        if connection.has_answered_early():
            return True
        if self._upload is not None:
            return self._upload.begins_on(connection, patience)
        return connection.write(self._head, self._body)

    async def _answer(self) -> Response:
        self._patience.await_target(True)
        try:
            answer = await self._connection.answer()
        except CLIENT_FAILURES as error:
            self._raise_failure_of_body()
            raise target_error(error) from error
        finally:
            self._patience.await_target(False)
        return self._responded(*answer)

    def _responded(self, message: RawResponseMessage, content: StreamReader) -> Response:
        response = Response(message, content, self._most_response_bytes, self)
        self._idle_seconds = response.idle_seconds
        if content.is_eof():
            self._note_end()
        else:
            content.on_eof(self._note_end)
        return response

    def _raise_failure_of_body(self) -> None:
        if self._upload is not None and self._upload.failure is not None:
            raise self._upload.failure from None

    def _note_end(self) -> None:
        self._over_since = self._connections.now()

    async def _end(self) -> None:
        try:
            if self._upload is not None:
                await self._upload.end()
        finally:
            self._release()

    def _release(self) -> None:
        if self._over_since is None or not (self._upload is None or self._upload.is_whole):
            self._connection.end()
        else:
            self._connections.give_back(self._connection, self._over_since, self._idle_seconds)
