"""One response to a client: the target's, whole or in pieces as they come, or the gateway's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Protocol

from starlette.types import Message, Scope, Send

from fast_priority.errors import GatewayError, RequestTimeout, ResponseIncomplete
from fast_priority.events import RequestRecord
from fast_priority.gateway.buffered_body import BufferedBody
from fast_priority.gateway.embedding import ROOT_PATH
from fast_priority.http.date import http_date
from fast_priority.http.fields import check_relayed_response, content_length
from fast_priority.http.forwarding import onward_response_fields
from fast_priority.http.limits import LEAST_BYTES_PER_SECOND, MOST_RESPONSE_FIELDS_BYTES
from fast_priority.http.locations import LocationRewriter
from fast_priority.http.memo import memoized
from fast_priority.http.message import Bytes, Field, Fields, HttpVersion, Reply
from fast_priority.http.problem import ErrorForm, problem_reply
from fast_priority.http.request_id import REQUEST_ID, has_request_id, new_request_id, request_id_of
from fast_priority.http.server_timing import SERVER_TIMING, server_timing
from fast_priority.http.via import PSEUDONYM
from fast_priority.protocol.frames import MOST_CHUNK_BYTES
from fast_priority.server import ClientConnection, connection_of
from fast_priority.support.byte_stream import ByteStream

_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED})


class IncomingResponse(Protocol):
    """A response whose body is still coming."""

    @property
    def status(self) -> int:
        """Its status."""
        ...

    @property
    def fields(self) -> Fields:
        """Its fields."""
        ...

    @property
    def http_version(self) -> HttpVersion:
        """The version of HTTP that the target answered in."""
        ...

    def chunks(self) -> AsyncIterator[Bytes]:
        """Yield its body as it comes. Raises GatewayError if it breaks off."""
        ...


class ClientResponse:
    """Sends one response to the client, in messages of ASGI or through the server's extension.

    The server of `run-fast-priority` closes the connection of a client that does not read its response. Other servers
    do not: there, a client has `timeout_seconds`, and a second for each 500 bytes, to read a piece; after that,
    RequestTimeout is raised. `name` is the gateway's name in Via, which responses of the target get. `locations`
    rewrites what they name of the target itself; None: nothing is rewritten. With `says_times`, each response has a
    Server-Timing.
    """

    def __init__(
        self,
        scope: Scope,
        send: Send,
        timeout_seconds: float = 0.0,
        name: bytes = PSEUDONYM,
        locations: LocationRewriter | None = None,
        *,
        says_times: bool = True,
    ) -> None:
        self.name = name
        """The gateway's name in Via."""
        self.record = RequestRecord(request_id_of(scope["headers"]) or new_request_id())
        """What is known of the request."""
        self._says_times = says_times
        self._has_request_id = False  # of the target, or in an error already
        self._locations = locations
        self._root_path: str = scope.get(ROOT_PATH, "")
        self._timeout_seconds = timeout_seconds
        self._method: str = scope["method"]
        self._connection = connection_of(scope)
        # The server of `run-fast-priority` ends a response to HTTP/1.0 by closing; others would send chunks.
        self._needs_length = scope["http_version"] == "1.0" and self._connection is None
        self._send = send
        self._before_bytes = MOST_CHUNK_BYTES  # the server may still hold so much of the response before
        self.status = 0
        """The status of the response; 0 before it has begun."""
        self.has_begun = False
        self.has_ended = False
        self.error_form: ErrorForm = "problem"
        """How the gateway's own errors are stated."""

    async def relay(self, reply: Reply) -> None:
        """Send a whole response of the target. Raises TargetError if it may not be sent to a client."""
        onward, declared = self._read(reply)
        if declared not in (None, len(reply.body)) and not self._has_no_body(reply.status):
            raise ResponseIncomplete("its body is not as long as its Content-Length")
        await self._send_whole(reply.status, onward, declared, reply.body)

    def relay_now(self, reply: Reply) -> bool:
        """Send a whole response of the target without waiting. Return False if that cannot be: then nothing is sent.

        Raises as `relay` does.
        """
        if self._connection is None or not self._connection.takes_at_once:
            return False
        onward, declared = self._read(reply)
        if declared not in (None, len(reply.body)) and not self._has_no_body(reply.status):
            raise ResponseIncomplete("its body is not as long as its Content-Length")
        self._send_at_once(
            self._connection, reply.status, *self._with_length(reply.status, onward, declared, reply.body)
        )
        return True

    def send_by(self, send: Send) -> None:
        """Send by this from now on."""
        self._send = send

    async def send(self, reply: Reply) -> None:
        """Send a whole response of the gateway itself."""
        await self._send_whole(reply.status, reply.fields, content_length(reply.fields), reply.body)

    async def _send_whole(self, status: int, fields: Fields, declared_bytes: int | None, body: bytes) -> None:
        fields, body = self._with_length(status, fields, declared_bytes, body)
        if self._connection is not None and self._connection.takes_at_once:
            self._send_at_once(self._connection, status, fields, body)
            return
        await self._begin(status, fields)
        await self._end(body)

    def _with_length(
        self, status: int, fields: Fields, declared_bytes: int | None, body: bytes
    ) -> tuple[Fields, bytes]:
        """Return the fields with the length of the body, and the body that is sent."""
        has_no_body = self._has_no_body(status)
        # In a response to HEAD, or a 304, the target may leave Content-Length out; then the length is unknown.
        if declared_bytes is None and (body or not has_no_body):
            fields = [*fields, (b"content-length", b"%d" % len(body))]
        return fields, b"" if has_no_body else body

    def _send_at_once(self, connection: ClientConnection, status: int, fields: Fields, body: bytes) -> None:
        self.status = self.record.status = status
        self.has_begun = self.has_ended = True
        self.record.sent_bytes += len(body)
        connection.send_whole(status, [*self._framed(status, fields), *self.own_fields()], body)

    async def stream(self, incoming: IncomingResponse) -> None:
        """Send a response of the target as it comes. Raises as `relay` does, and GatewayError if it breaks off."""
        onward, declared = self._read(incoming)
        if self._needs_length and declared is None:
            await self._stream_buffered(incoming, onward)
            return
        await self._begin(incoming.status, onward)
        if self._has_no_body(incoming.status):
            async for _ in incoming.chunks():
                pass
        else:
            async for chunk in _of_its_length(incoming):
                message = {"type": "http.response.body", "body": chunk, "more_body": True}
                await self._send_in_time(message, len(chunk))
        await self._end(b"")

    def hand_over(self, end: Callable[[], None]) -> ByteStream:
        """Return the client's connection as a stream of bytes. The server sends no response and reads no HTTP any more.

        `end` is called when the server shuts down. This needs a server with the extension of `server.extension`. Raises
        ConnectionResetError if the client has left.
        """
        if self._connection is None:
            raise RuntimeError("this server hands no connections over")
        client = self._connection.take_over(end)
        self.status = self.record.status = HTTPStatus.SWITCHING_PROTOCOLS
        self.has_begun = self.has_ended = True
        return client

    async def _stream_buffered(self, incoming: IncomingResponse, onward: Fields) -> None:
        with BufferedBody() as body:
            async for chunk in incoming.chunks():
                body.add(chunk)
            if self._has_no_body(incoming.status):
                await self._send_whole(incoming.status, onward, None, b"")
                return
            await self._begin(incoming.status, [*onward, (b"content-length", b"%d" % len(body))])
            for piece in body.pieces():
                await self._send_in_time({"type": "http.response.body", "body": piece, "more_body": True}, len(piece))
            await self._end(b"")

    async def send_error(self, error: GatewayError, more_fields: Fields | None = None) -> None:
        """Send a response that names the error; if another response has begun, break it off.

        `more_fields` are those of `http.cors`.
        """
        if not self.has_begun:
            self._has_request_id = True
            self.record.note_error(error.status)
            await self.send(problem_reply(error, more_fields, self.record.request_id, self.error_form))
        elif self._connection is not None:
            self._connection.abort()
        else:
            raise error  # the server then closes the connection, so the client sees that its response is not whole

    def _read(self, incoming: Reply | IncomingResponse) -> tuple[Fields, int | None]:
        """Return the fields for the client, and the declared length. Raises TargetError for a bad head."""
        version, locations = incoming.http_version, self._locations
        onward, declared, has_date, self._has_request_id = _read_relayed(
            incoming.fields, incoming.status, version, self.name, locations, self._root_path
        )
        self.record.is_of_target = True
        # RFC 9110, section 6.6.1: an intermediary adds the Date that the target has left out. Other servers do.
        lacks_date = not has_date and self._connection is not None
        return [*onward, (b"date", http_date())] if lacks_date else onward, declared

    def own_fields(self, target_fields: Fields | None = None) -> Fields:
        """Return what the gateway adds to each response. They stand at its end: see `memo.split_at_own`.

        `target_fields` are those of a response that was not read here.
        """
        record, fields = self.record, list[Field]()
        timing = server_timing(record.queue_seconds, record.target_seconds) if self._says_times else None
        if timing is not None:
            fields.append((SERVER_TIMING, timing))
        if not self._has_request_id and not has_request_id(target_fields or ()):
            fields.append((REQUEST_ID, record.request_id.encode()))
        return fields

    async def _send_in_time(self, message: Message, size_bytes: int = 0) -> None:
        self.record.sent_bytes += size_bytes
        if self._connection is not None:
            await self._send(message)
            return
        # Another server waits until it has sent the piece before, and does not report how much of it the client has
        # read: so the client has time for all of it.
        taking_seconds = (self._before_bytes + size_bytes) / LEAST_BYTES_PER_SECOND
        self._before_bytes = size_bytes
        try:
            async with asyncio.timeout(self._timeout_seconds + taking_seconds):
                await self._send(message)
        except TimeoutError as error:
            raise RequestTimeout("it did not read its response") from error

    def _has_no_body(self, status: int) -> bool:
        return self._method == "HEAD" or status in _WITHOUT_BODY

    async def _begin(self, status: int, fields: Fields) -> None:
        framed = [*self._framed(status, fields), *self.own_fields()]
        await self._send_in_time({"type": "http.response.start", "status": status, "headers": framed})
        self.status = self.record.status = status
        self.has_begun = True
        if self._keeps_length(status) and self._connection is not None:
            self._connection.announce_no_body()

    def _framed(self, status: int, fields: Fields) -> Fields:
        if status not in _WITHOUT_BODY or self._method == "HEAD" or self._keeps_length(status):
            return fields
        # With Content-Length, the server would wait for a body of that length. The field may be left out (RFC 9110,
        # section 8.6). A 205 has a length of 0 (section 15.3.6); without the field, the server would announce chunks.
        framed = [field for field in fields if field[0].lower() != b"content-length"]
        return [*framed, (b"content-length", b"0")] if status == HTTPStatus.RESET_CONTENT else framed

    def _keeps_length(self, status: int) -> bool:
        return (
            status == HTTPStatus.NOT_MODIFIED and self._connection is not None and self._connection.can_announce_no_body
        )

    async def _end(self, body: bytes) -> None:
        self.has_ended = True  # before the last message: after it, the server reports a disconnect
        await self._send_in_time({"type": "http.response.body", "body": body}, len(body))


@memoized
def _read_relayed(
    fields: Fields,
    status: int,
    http_version: HttpVersion,
    name: bytes,
    locations: LocationRewriter | None,
    root_path: str,
) -> tuple[Fields, int | None, bool, bool]:
    check_relayed_response(status, fields, MOST_RESPONSE_FIELDS_BYTES)
    rewritten = fields if locations is None else locations.fields_for_client(fields, root_path)
    has_date = any(field_name.lower() == b"date" for field_name, _ in fields)
    onward = onward_response_fields(rewritten, http_version, name)
    return onward, content_length(fields), has_date, has_request_id(fields)


async def _of_its_length(incoming: IncomingResponse) -> AsyncIterator[Bytes]:
    """Yield the body. Raises ResponseIncomplete if it is not as long as declared: more would be read as a response."""
    declared, size = content_length(incoming.fields), 0
    async for chunk in incoming.chunks():
        size += len(chunk)
        if declared is not None and size > declared:
            break
        yield chunk
    if declared not in (None, size):
        raise ResponseIncomplete("its body is not as long as its Content-Length")
