"""One connection to the target: aiohttp reads what comes on it, and holds it up where nobody takes it.

aiohttp has no public switch for what is done here, and tests/integration/test_target.py fails when it stops working.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

from fast_priority.http.limits import MOST_FIELDS, MOST_RESPONSE_FIELDS_BYTES
from fast_priority.support.socket_look import SocketLook
from fast_priority.target.tls import ReadableTls

CLIENT_FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
"""What comes out of aiohttp when something goes wrong; `http_client.target_error` says what it means."""
_INTERIM = range(100, 200)
_SWITCHES = 101
_READ_BUFFER_BYTES = 256 * 1024  # twice as many are read ahead at most; what is read at once is one piece of a body
_ONE_WRITE_BYTES = 64 * 1024  # so much is copied, for a system call less


class TargetConnection(ResponseHandler):
    """A connection that is closed when the target sends anything that nobody asked for.

    aiohttp keeps such bytes and gives them to whoever uses the connection next: another client's request would be
    answered with them (RFC 9112, section 9.2: unsolicited responses).
    """

    connection: Connection
    watch: Callable[[], None] | None = None
    """Called each time something has come of the answer, and when nothing more will."""
    made_at_seconds = 0.0
    """When it was made, by the clock of the event loop."""
    _answered = False
    _look: SocketLook
    _tls: ReadableTls | None = None
    _is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there. What is written goes out at once: with others, it would wait until all of them are written."""
        super().connection_made(transport)
        self._look = SocketLook(transport.get_extra_info("socket").fileno())
        self._tls = transport.get_extra_info("ssl_object")
        # With TLS, asyncio would pause writing for ever: it takes an empty buffer for one that is over the limit of 0.
        if self._tls is None and isinstance(transport, asyncio.WriteTransport):
            transport.set_write_buffer_limits(high=0)

    def is_still_idle(self) -> bool:
        """Return whether it is open, and nothing has arrived on it that the event loop has not read yet.

        With TLS, anything that has arrived counts, a session ticket too: what it is cannot be told without reading it.
        """
        return self.is_connected() and self._look.is_quiet()

    def has_ended(self) -> bool:
        """Return whether the target has closed it without a byte, before anything was sent on it."""
        return not self._tail and (not self.is_connected() or self._look.has_ended())

    def has_answered_early(self) -> bool:
        """Return whether a whole answer was there before anything was sent; then nothing need be sent, nor can be.

        So a target answers that takes no more connections.
        """
        if not self._answered or not self._buffer:
            return False
        (_, body), _ = self._buffer[-1]
        self.force_close()
        return body.is_eof()

    def expect_answer(self, *, to_head: bool) -> None:
        """A request is about to be sent: from now on one answer is awaited, and taken as it is."""
        self._answered = False
        self.set_response_params(
            skip_payload=to_head,
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=_READ_BUFFER_BYTES,
            max_line_size=MOST_RESPONSE_FIELDS_BYTES,
            max_field_size=MOST_RESPONSE_FIELDS_BYTES,
            max_headers=MOST_FIELDS,
        )

    def write(self, head: bytes, body: bytes = b"") -> bool:
        """Send this. Return False if the connection has ended; if nothing was unsent before, no byte has then left us.

        Both event loops try to send at once what is written, if nothing waits before it, and close the transport in the
        same step when the system refuses it. What the system takes may reach the target; what it refuses cannot. Over
        TLS a refusal is not seen here: the connection is then lost a moment later.
        """
        transport = self.transport
        if transport is None or transport.is_closing() or self._is_lost:
            return False
        is_one_write = not body or len(body) <= _ONE_WRITE_BYTES
        transport.write(head + body if is_one_write else head)
        if transport.is_closing():
            return False
        if not is_one_write:
            transport.write(body)
        if self._tls is not None and self._look.is_lost():
            self._is_lost = True
            self._read_rest(self._tls)
        return True

    async def taken(self) -> None:
        """Wait until the target has taken so much that more may be sent. Raises OSError when it never will."""
        if self.writing_paused:
            await self._drain_helper()

    async def answer(self) -> tuple[RawResponseMessage, StreamReader]:
        """Give the head of the final response, and its body. Raises what `give_up` is given, and CLIENT_FAILURES."""
        while True:
            message, body = await self.read()
            if message.code not in _INTERIM or message.code == _SWITCHES:
                return message, body

    def answer_now(self) -> tuple[RawResponseMessage, StreamReader] | None:
        """Give the same if it is there."""
        while self._buffer:
            (message, body), _ = self._buffer.popleft()
            if message.code not in _INTERIM or message.code == _SWITCHES:
                return message, body
        return None

    def give_up(self, error: Exception) -> None:
        """Let whoever waits for the answer, or for more of it, wait no longer: they have this error instead."""
        self.set_exception(error)
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(error)

    def may_be_used_again(self) -> bool:
        """Tell whether request and response are over, and both sides are ready for the next."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        return not self.should_close and not transport.get_write_buffer_size()

    def end(self) -> None:
        """Close it. What has not been sent is not sent any more: a target that reads nothing would keep it for ever."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.abort()
        self.connection.close()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A head has been read; if it is a final one, nothing but its body may follow."""
        if self._answered:
            self._end_for_unasked()
            return
        self._answered = data[0].code not in _INTERIM
        super().feed_data(data, size)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Nothing more will come."""
        super().set_exception(exc, *cause)
        if self.watch is not None:
            self.watch()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Read on, if reading was held up; aiohttp asks for it after each piece, and would parse nothing once more."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended; a body that it ended with an error is not whole.

        aiohttp takes a body that lasts until the end of its connection for whole, however that came (RFC 9112, section
        8), and does not tell whoever reads a body in the midst of which it has found what is no HTTP.
        """
        if exc is not None and self._tls is None:
            self._read_rest()
        failure = exc or self.exception()
        if failure is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError("the connection broke off"), failure)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the target sends, if it was asked for."""
        if data and self._answered and self._payload is not None and self._payload.is_eof():
            self._end_for_unasked()
            return
        super().data_received(data)
        if data and self.watch is not None:
            self.watch()

    def _read_rest(self, tls: ReadableTls | None = None) -> None:
        """Read what came before the connection was lost: a write that fails ends it with an answer in it unread.

        The event loops close the socket only after they have told of the loss, but with TLS they tell too late.
        """
        if self.transport is not None and not self._reading_paused:
            rest = self._look.read_rest(_READ_BUFFER_BYTES)
            if tls is not None:
                rest = tls.decrypt(rest)
            if rest:
                self.data_received(rest)

    def _end_for_unasked(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()
