"""One connection to the target: aiohttp parses what arrives, and stops reading while the response is not taken.

aiohttp has no public switch for what is changed here; tests/integration/target/test_target.py fails when one of these
changes stops working.
"""

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from fast_priority.errors import TargetTimeout, TargetUnreachable
from fast_priority.http.limits import MOST_FIELDS, MOST_RESPONSE_FIELDS_BYTES
from fast_priority.support.byte_stream import RESET_ON_CLOSE, ByteStream
from fast_priority.support.socket_look import SocketLook
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target.failures import silent_for
from fast_priority.target.tls import ReadableTls
from fast_priority.target.tls_problems import refusal_of_client_certificate

SWITCHING_PROTOCOLS = HTTPStatus.SWITCHING_PROTOCOLS.value
_INTERIM = range(100, 200)
_READ_BUFFER_BYTES = 256 * 1024  # at most twice as much is read ahead; what is read at once is one piece of a body
_ONE_WRITE_BYTES = 64 * 1024  # so much is copied to save a system call


class TargetConnection(ResponseHandler):
    """A connection that is closed when the target sends anything that was not asked for.

    aiohttp would keep such bytes for the next user of the connection: another client's request would be answered with
    them (RFC 9112, section 9.2: unsolicited responses).
    """

    connection: Connection
    watch: Callable[[], None] | None = None
    """Called each time a part of the response has come, and when no more will come."""
    made_at_seconds = 0.0
    """When it was made, by the clock of the event loop."""
    _has_final_head = False
    _may_switch = False
    _behind_switch: list[bytes] | None = None  # what came behind a 101, from then on
    _look: SocketLook
    _tls: ReadableTls | None = None
    _is_lost = False
    _refusal: str | None = None  # why the target has closed the connection: it wants another client certificate

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport. What is written goes out at once, and does not wait for other writes."""
        super().connection_made(transport)
        self._look = SocketLook(transport.get_extra_info("socket").fileno())
        self._tls = transport.get_extra_info("ssl_object")
        # With TLS, asyncio would pause writing for ever: it takes an empty buffer for one that is over the limit of 0.
        if self._tls is None and isinstance(transport, asyncio.WriteTransport):
            transport.set_write_buffer_limits(high=0)

    def is_still_idle(self) -> bool:
        """Return whether it is open, and nothing has arrived on it that the event loop has not read yet.

        With TLS, everything that has arrived counts, also a session ticket: what it is cannot be known before it is
        read.
        """
        return self.is_connected() and self._look.is_quiet()

    def has_ended(self) -> bool:
        """Return whether the target has closed it without a byte, before anything was sent on it."""
        return not self._tail and (not self.is_connected() or self._look.has_ended())

    def has_answered_early(self) -> bool:
        """Return whether a whole response was there before anything was sent. Then nothing is sent.

        A target that accepts no more connections answers so.
        """
        if not self._has_final_head or not self._buffer:
            return False
        (_, body), _ = self._buffer[-1]
        self.force_close()
        return body.is_eof()

    def expect_response(self, *, to_head: bool, may_switch: bool = False) -> None:
        """Prepare for a request that is about to be sent: one response is awaited, and taken as it is.

        With `may_switch`, the response may be a 101: then call `switch`.
        """
        self._has_final_head = False
        self._may_switch = may_switch
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
        same step when the system refuses it. What the system accepts may reach the target; what it refuses cannot. Over
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

    async def drained(self) -> None:
        """Wait until the target has taken so much that more may be sent. Raises OSError if it never will."""
        if self.writing_paused:
            await self._drain_helper()

    async def receive_head(self) -> tuple[RawResponseMessage, StreamReader]:
        """Return the head of the final response, and its body.

        Raises what `fail` was called with, and CLIENT_FAILURES.
        """
        while True:
            message, body = await self.read()
            if message.code not in _INTERIM or message.code == SWITCHING_PROTOCOLS:
                return message, body

    def head_now(self) -> tuple[RawResponseMessage, StreamReader] | None:
        """Return the same if it has come, else None."""
        while self._buffer:
            (message, body), _ = self._buffer.popleft()
            if message.code not in _INTERIM or message.code == SWITCHING_PROTOCOLS:
                return message, body
        return None

    def fail(self, error: Exception) -> None:
        """Raise this error where the response, or more of it, is awaited."""
        self.set_exception(error)
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(error)

    def may_be_used_again(self) -> bool:
        """Return whether request and response are over, and both sides are ready for the next."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        return not self.should_close and not transport.get_write_buffer_size()

    def end(self) -> None:
        """Close it. Drop what has not been sent: a target that reads nothing would keep it for ever."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.abort()
        self.connection.close()

    def reset(self) -> None:
        """Close it so that the target sees a reset."""
        if self.transport is not None:
            endpoint = self.transport.get_extra_info("socket")
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.transport.abort()
        self.connection.close()

    def switch(self) -> tuple[ByteStream, bytes]:
        """Return the connection as a stream of bytes, and what came behind the 101; it is HTTP no more.

        Raises ConnectionResetError if it has ended since.
        """
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        self._leave_connector()
        stream = ByteStream()
        if self._tls is None:
            transport.set_write_buffer_limits()  # those of asyncio
        transport.set_protocol(stream)
        stream.connection_made(transport)
        transport.resume_reading()
        self.transport = None
        self._parser = None  # it refers to this
        return stream, b"".join(self._behind_switch or ())

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take a head that was parsed. Behind a final one, only its body may follow."""
        if self._has_final_head:
            self._end_for_unasked()
            return
        status = data[0].code
        self._has_final_head = status not in _INTERIM
        if self._may_switch and status == SWITCHING_PROTOCOLS and self.transport is not None:
            self._behind_switch = []
            self.transport.pause_reading()
        super().feed_data(data, size)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Note that nothing more will come."""
        super().set_exception(exc, *cause)
        if self.watch is not None:
            self.watch()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Read on, if reading was paused. aiohttp calls this after each piece, and would parse nothing once more."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note that the connection has ended. A body that it ended with an error is not whole.

        aiohttp takes a body that lasts until the end of its connection for whole, however that end came (RFC 9112,
        section 8), and does not inform the reader of a body in which it has found what is not HTTP.
        """
        if exc is not None and self._tls is None:
            self._read_rest()
        self._note_refusal(exc)
        failure = exc or self.exception()
        if failure is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError("the connection broke off"), failure)
        super().connection_lost(exc)

    def raise_refusal(self) -> None:
        """Raise TargetUnreachable if the target has closed the connection because of the client certificate."""
        if self._refusal is not None:
            raise TargetUnreachable(self._refusal)

    async def wait_until_accepted(self, within_seconds: float) -> None:
        """Wait for this time, at most until the target closes the connection. Raises TargetUnreachable as above.

        Only with TLS 1.3: then a target refuses the client certificate after the handshake.
        """
        if self._tls is not None and self._tls.version() == "TLSv1.3" and (closed := self.closed) is not None:
            await asyncio.wait([closed], timeout=within_seconds)
            if closed.done() and not closed.cancelled():
                closed.exception()  # it has been looked at: asyncio need not log it
        self.raise_refusal()

    def _note_refusal(self, error: BaseException | None) -> None:
        """Note that the target refuses the client certificate, and raise that where the response is awaited."""
        found = self._tls.alert if self._tls is not None and self._tls.alert is not None else error
        self._refusal = refusal_of_client_certificate(found)
        if self._refusal is not None and not self._has_final_head:
            self.fail(TargetUnreachable(self._refusal))

    def data_received(self, data: bytes) -> None:
        """Take what the target sends, if it was asked for."""
        if self._behind_switch is not None:
            self._behind_switch.append(data)
            return
        if data and self._has_final_head and self._payload is not None and self._payload.is_eof():
            self._end_for_unasked()
            return
        super().data_received(data)
        if data and self.watch is not None:
            self.watch()

    def _read_rest(self, tls: ReadableTls | None = None) -> None:
        """Read what came before the connection was lost: a write that fails ends it with a response in it unread.

        The event loops close the socket only after they have reported the loss, but with TLS they report it too late.
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

    def _leave_connector(self) -> None:
        # The connector would close the transport with what refers to it: with this, or with the last request.
        self.connection._connector._release_acquired(self.connection._key, self)
        self.connection._protocol = None


class InactivityTimer:
    """The inactivity timeout of one request. It runs while we wait for the target, and the target does not wait for us.

    `on_timeout` is called when it expires. All timers of a target share `timeouts`, which is made with `expire`.
    """

    __slots__ = ("_on_timeout", "_target_is_awaited", "_target_waits_for_body", "_timeouts")

    def __init__(self, timeouts: "TimeoutQueue[InactivityTimer]", on_timeout: Callable[[TargetTimeout], None]) -> None:
        self._timeouts = timeouts
        self._on_timeout = on_timeout
        self._target_is_awaited = False
        self._target_waits_for_body = False

    def wait_for_target(self, is_awaited: bool) -> None:
        """Note whether something is awaited from the target; each time it has its whole time again."""
        self._target_is_awaited = is_awaited
        self._start_or_stop()

    def wait_for_body(self, is_awaited: bool) -> None:
        """Note whether the target waits for more of the request's body, which has not been sent yet."""
        self._target_waits_for_body = is_awaited
        self._start_or_stop()

    def expire(self) -> None:
        """Report that the time is over."""
        self._on_timeout(silent_for(self._timeouts.seconds))

    def _start_or_stop(self) -> None:
        if self._target_is_awaited and not self._target_waits_for_body:
            self._timeouts.begin(self)
        else:
            self._timeouts.end(self)
