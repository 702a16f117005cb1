"""One request to the target and its response, on one connection."""

import time
from collections.abc import AsyncIterator, Callable

import aiohttp
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from fast_priority.errors import NotSent, ResponseIncomplete, TargetClosed, without_traces
from fast_priority.http.message import Bytes, Reply, SlotTimes
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.connection import InactivityTimer, TargetConnection
from fast_priority.target.failures import CLIENT_FAILURES, target_error
from fast_priority.target.pool import ConnectionPool
from fast_priority.target.response import Response
from fast_priority.target.upload import Upload

Body = bytes | AsyncIterator[Bytes]

_MICROSECONDS = 1_000_000
_MOST_NEW_CONNECTIONS = 2  # a target that closes each of them at once accepts no requests


class Exchange:
    """One request and its response, on one connection that serves no other request meanwhile.

    `async with` sends the request and waits for the head of the response. A request that can be sent at once may be
    sent without a task: `begin_now` sends it, and `response_now` is asked whenever something has come.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        timeouts: TimeoutQueue[InactivityTimer],
        head: bytes,
        body: Body,
        *,
        is_head: bool,
        declared_bytes: int | None,
        most_response_bytes: int,
        may_be_sent: Callable[[], bool],
    ) -> None:
        self._is_head = is_head
        self._pool = pool
        self._timeouts = timeouts
        self._head = head
        self._body = body if isinstance(body, bytes) else b""
        self._most_response_bytes = most_response_bytes
        self._may_be_sent = may_be_sent
        self._upload = None if isinstance(body, bytes) else Upload(head, body, declared_bytes)
        self._made_at = time.monotonic()
        self._over_since: float | None = None
        self._idle_seconds = 0.0
        self._has_begun = False
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        if not self._has_begun:
            await self._begin()
        try:
            response, self._response = self._response or await self._receive(), None
        except BaseException:
            await self._end()
            raise
        return response

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    def begin_now(self, watch: Callable[[], None]) -> bool:
        """Send the request if that needs no waiting: its body is in memory, and a connection is idle.

        Then `watch` is called each time a part of the response has come, and when no more will come, until `unwatch`.
        After that the exchange has to be entered, or ended with `end_now`. Raises NotSent.
        """
        if self._upload is not None or not self._try_idle():
            return False
        self._connection.watch = watch
        self._timer.wait_for_target(True)
        return True

    def unwatch(self) -> None:
        """Call the `watch` of `begin_now` no more."""
        self._connection.watch = None

    def response_now(self) -> Response | None:
        """Return the response if its head has come. For an unusable head, raises what `__aenter__` raises."""
        if self._response is None and (received := self._connection.head_now()) is not None:
            self._timer.wait_for_target(False)
            self._response = self._respond(*received)
        return self._response

    def reply_now(self) -> Reply | None:
        """Return the whole response if it is small and has come. Raises as `response_now`, and ResponseBodyTooLarge."""
        response = self.response_now()
        whole = response.whole_now() if response is not None else None
        if response is None or whole is None:
            return None
        return Reply(response.status, response.fields, whole, response.http_version, self.times(response))

    def times(self, response: Response) -> SlotTimes:
        """Return the times of the slot that was taken when this was made, until now and until the response's head."""
        made_at = self._made_at
        return SlotTimes(_microseconds(time.monotonic() - made_at), _microseconds(response.head_at - made_at))

    def mark_slow(self) -> None:
        """Note that the rest of a small response has not come soon: `__aenter__` returns what does not wait for it."""
        response = self.response_now()
        if response is not None:
            response.mark_slow()

    @property
    def needs_task(self) -> bool:
        """Whether it is not worth waiting for a whole response: the connection has failed, or the response is large."""
        return self.has_failed or (self._response is not None and not self._response.is_small)

    @property
    def has_failed(self) -> bool:
        """Whether the connection has failed. Then `__aenter__`, and reading the body, raise the error."""
        return self._connection.exception() is not None

    def end_now(self) -> None:
        """End what `begin_now` has begun. The connection is kept if the response is over."""
        if not self._has_begun:
            return
        self.unwatch()
        if self._response is None:
            self._timer.wait_for_target(False)
        self._response = None  # it refers to this
        self._release()

    async def next_piece(self, content: StreamReader) -> bytes:
        """Return the part of the response's body that has come, or comes next; b"" at its end."""
        try:
            if content.is_eof():
                return await content.readany()
            self._timer.wait_for_target(True)
            try:
                return await content.readany()
            finally:
                self._timer.wait_for_target(False)
        except aiohttp.ClientError as error:
            without_traces(error)
            self._raise_failure_of_body()
            raise ResponseIncomplete("its body ended before it was whole") from error

    async def _begin(self) -> None:
        if self._upload is not None and await self._try_upload(self._upload):
            return
        if not self._try_idle():
            await self._begin_on_new()

    async def _begin_on_new(self) -> None:
        for _ in range(_MOST_NEW_CONNECTIONS):
            connection = await self._pool.connect()
            if connection is None:
                continue
            if self._try_on(connection):
                return
            connection.raise_refusal()
        raise TargetClosed("the connection ended before the request could be sent")

    async def _try_upload(self, upload: Upload) -> bool:
        """Connect, wait for the first piece of the body, and send it with the head. Return False if nothing was sent.

        The connection comes first: if the target refuses it, the client's body is not read. While the first piece is
        awaited, the target may close the connection.
        """
        connection = self._take_idle()
        is_new = connection is None  # "not connection" would be wrong: aiohttp's connections have a length, 0 at first
        if connection is None:
            connection = await self._pool.connect()
        try:
            await upload.read_first_piece()
        except BaseException:
            if connection is not None:
                connection.end()
            raise
        if connection is None:
            return False
        # A new one may have a response already: a target that accepts no more connections sends one.
        if connection.is_still_idle() or (is_new and not connection.has_ended()):
            return self._try_on(connection)
        connection.end()
        return False

    def _try_idle(self) -> bool:
        while (connection := self._take_idle()) is not None:
            if self._try_on(connection):
                return True
        return False

    def _take_idle(self) -> TargetConnection | None:
        """Return an idle connection on which nothing has arrived, or None. Close those on which something has arrived.

        Each is checked just before it is used. The target may have closed it, or may have sent something unrequested (a
        408, or the end of TLS), and the event loop does not know of it yet.
        """
        while (connection := self._pool.idle.take()) is not None:
            if connection.is_still_idle():
                return connection
            connection.end()
        return None

    def _try_on(self, connection: TargetConnection) -> bool:
        """Send the request, or its first part. Return False if no byte was sent: then another one may be tried."""
        timer = InactivityTimer(self._timeouts, connection.fail)
        try:
            self._has_begun = self._send_on(connection, timer)
        except BaseException:
            connection.end()
            raise
        if self._has_begun:
            self._connection, self._timer = connection, timer
        else:
            connection.end()
        return self._has_begun

    def _send_on(self, connection: TargetConnection, timer: InactivityTimer) -> bool:
        if not self._may_be_sent():
            raise NotSent("its worker was away for so long that another one may have it")
        self._expect_response(connection)
        if connection.has_answered_early():
            return True
        if self._upload is not None:
            return self._upload.try_on(connection, timer)
        return connection.write(self._head, self._body)

    def _expect_response(self, connection: TargetConnection) -> None:
        connection.expect_response(to_head=self._is_head)

    async def _receive(self) -> Response:
        return self._respond(*await self._receive_head())

    async def _receive_head(self) -> tuple[RawResponseMessage, StreamReader]:
        self._timer.wait_for_target(True)
        try:
            return await self._connection.receive_head()
        except CLIENT_FAILURES as error:
            without_traces(error)  # they refer to the connection, which keeps the error
            self._raise_failure_of_body()
            raise target_error(error) from error
        finally:
            self._timer.wait_for_target(False)

    def _respond(self, message: RawResponseMessage, content: StreamReader) -> Response:
        response = Response(message, content, self._most_response_bytes, self.next_piece, is_to_head=self._is_head)
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
        self._over_since = self._connection._loop.time()

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
            self._pool.give_back(self._connection, self._over_since, self._idle_seconds)


def _microseconds(seconds: float) -> int:
    return int(seconds * _MICROSECONDS)
