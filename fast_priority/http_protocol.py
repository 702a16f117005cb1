"""HTTP towards clients: uvicorn's protocol, with the limits and the patience of an intermediary.

What ASGI has no words for is offered to the gateway as an extension (`client_connection.py`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from fast_priority.byte_stream import ByteStream
from fast_priority.client_connection import EXTENSION
from fast_priority.client_transport import ClientTransport, TakenOver, WatchedFlow
from fast_priority.errors import GatewayError, MalformedRequest
from fast_priority.fields import asks_for_websocket, has_body
from fast_priority.head_limits import HeadLimits
from fast_priority.message import Fields
from fast_priority.problem import answer_problem
from fast_priority.request_target import read_request_target
from fast_priority.target import MOST_WHOLE_BYTES
from fast_priority.trouble import Trouble

logger = logging.getLogger(__name__)

_VERSIONS = ("1.1", "1.0")
_MOST_BODY_AHEAD_BYTES = 512 * 1024  # uvicorn stops at an eighth of it, and so gives a body that flows in small pieces
_UNREAD = {"method": "GET", "path": "", "query_string": b""}
_refusals: dict[str, Trouble] = {}


class HttpProtocol(HttpToolsProtocol):
    """One client's connection."""

    transport: ClientTransport
    flow: WatchedFlow

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left = asyncio.Event()
        """Set when the client has left."""
        self._limits = HeadLimits()
        self.in_head = True
        self._is_refused = self._is_draining = self._is_misread = False
        self._answering: RequestResponseCycle | None = None
        self._latest: Connection | None = None
        self._held = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self.on_message_begin()  # what comes may not even be the beginning of a request, and is answered nevertheless
        self.flow = WatchedFlow(transport)
        self.transport = ClientTransport(transport, self.flow, self._client_may_still_send)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left, or was left: whoever works for it is told, with pipelined requests, too."""
        self.flow.unwatch()
        self.left.set()
        super().connection_lost(exc)
        if self._answering is not None:
            _disconnect(self._answering)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        if self._is_refused or self.transport.lingers:
            return
        self._unset_keepalive_if_required()
        self._limits.count_received(len(data))
        try:
            while data:
                data = self._feed(data)
            self._limits.check_progress()
        except httptools.HttpParserError as error:
            self._refuse(_refusal_of(error))
        except GatewayError as error:
            self._refuse(error)

    def _feed(self, data: bytes) -> bytes:
        """Read, and give what is still to be read: the parser stops at every Upgrade, whatever it asks for."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._is_misread:
                self._is_misread = False
                return self._head_without_upgrade() + rest
            if self._latest is None or not self._latest.wants_websocket:
                return rest
            self._held = rest  # it depends on the answer what this is: frames, or the next request
            self.flow.pause_reading()
        return b""

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
        fields = (name + b": " + value + b"\r\n" for name, value in self.headers if name != b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return line + b"".join(fields) + b"\r\n"

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._limits.begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request's target has come."""
        super().on_url(url)
        self._limits.count_target(self.parser.get_method(), self.url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field has come.

        A trailer field is dropped: it counts as a field only where its definition says so (RFC 9110, section 6.5.1),
        and could otherwise pass itself off as something that only a trusted proxy may set.
        """
        self._limits.count_field(name, value)
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: the request can be answered."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if version not in _VERSIONS:
            raise MalformedRequest("HTTP/1.1 and HTTP/1.0 are spoken here")
        if version == "1.0":
            self.expect_100_continue = False  # a client of HTTP/1.0 expects no such thing (RFC 9110, section 10.1.1)
        if self.parser.should_upgrade() and method != b"CONNECT" and has_body(self.headers):
            # The parser takes what follows for another protocol, where it is the body; it would read it as requests.
            # Without the field, which is for this connection only, it reads it as it should.
            self._is_misread = True
            return
        target = read_request_target(method, self.url)
        self.url = target.raw
        self.scope["headers"] = self.headers = target.with_its_host(self.headers)
        may_switch = self.parser.should_upgrade() and method == b"GET" and version == "1.1" and not self._is_answering()
        self._latest = Connection(self, target.raw, may_switch and asks_for_websocket(self.headers))
        self.scope["extensions"] = {EXTENSION: {"connection": self._latest}}
        super().on_headers_complete()
        self._latest.cycle = self.cycle
        self.in_head = False
        self._limits.progress()

    def on_body(self, body: bytes) -> None:
        """A part of the body has come; uvicorn holds it until somebody receives."""
        self._limits.progress()
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > _MOST_BODY_AHEAD_BYTES:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        self._limits.progress()
        if self._is_misread:
            return
        super().on_message_complete()
        self.in_head = True

    def on_response_complete(self) -> None:
        """The response has been sent: it is the turn of the next request."""
        super().on_response_complete()
        held, self._held = self._held, b""
        if held and not self.transport.is_closing():
            self.data_received(held)

    def hand_over(self, cycle: RequestResponseCycle, end: Callable[[], None]) -> TakenOver:
        """Let somebody who speaks no HTTP have the connection. Raises ConnectionResetError if the client has left."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client has left")
        cycle.response_started = cycle.response_complete = True
        self.flow.unwatch()
        self.connections.discard(self)
        taken = TakenOver(self.connections, end)
        taken.take(self.transport.underlying, self._held, write_paused=self.flow.write_paused)
        if self._is_draining:
            end()
        return taken

    def shutdown(self) -> None:
        """The server shuts down."""
        self._is_draining = True
        super().shutdown()

    def _should_upgrade(self) -> bool:
        return False  # a WebSocket begins as a request like any other; whoever answers it takes the connection over

    def _client_may_still_send(self) -> bool:
        return self._is_refused or (self._answering is not None and self._answering.more_body)

    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)
        if cycle.more_body and _has_large_body(list(cycle.scope["headers"])):
            self.flow.pause_reading()  # until somebody receives: a request that waits holds none of its body

    def _refuse(self, error: GatewayError) -> None:
        """Answer what cannot be read with an error, when its turn comes, and close the connection."""
        self._is_refused = True
        kind = _refusals.setdefault(error.slug, Trouble(f"answered {error.status} {error.slug}", logger))
        kind.met(error.detail)
        if self.in_head:
            self._answer_with(error)
        elif self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
            self._answer_with(error)
        elif self.cycle.response_complete:
            self.transport.close()
        elif self.cycle.response_started:
            self.transport.abort()  # the client must not take what it has for a whole response
        else:
            _disconnect(self.cycle)
            self.left.set()
            self._answering = None
            self._answer_with(error)

    def _answer_with(self, error: GatewayError) -> None:
        self.scope = {**_UNREAD, **self.scope}  # type: ignore[typeddict-item]
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await answer_problem(send, error)

        if self._is_answering():
            self.pipeline.appendleft((self.cycle, answer))
        else:
            self._start_asgi_task(self.cycle, answer)


class Connection:
    """A ClientConnection: the connection as one request on it sees it."""

    def __init__(self, protocol: HttpProtocol, raw_target: bytes, wants_websocket: bool) -> None:
        self._protocol = protocol
        self.cycle: RequestResponseCycle = protocol.cycle
        self.raw_target = raw_target
        self.left = protocol.left
        self.wants_websocket = wants_websocket

    def announce_no_body(self) -> None:
        """Let the response end without the bytes that its Content-Length names."""
        self.cycle.expected_content_length = 0

    def abort(self) -> None:
        """Break the connection off."""
        _disconnect(self.cycle)
        self._protocol.transport.abort()

    def take_over(self, end: Callable[[], None]) -> ByteStream:
        """Take the connection away from HTTP. Raises ConnectionResetError if the client has left."""
        return self._protocol.hand_over(self.cycle, end)


def _refusal_of(error: httptools.HttpParserError) -> GatewayError:
    cause = error.__context__
    if isinstance(cause, GatewayError):
        return cause
    if cause is not None and not isinstance(cause, httptools.HttpParserError):
        logger.error("reading a request", exc_info=cause)
        return GatewayError()
    return MalformedRequest("it is not a request of HTTP/1.1")


def _disconnect(cycle: RequestResponseCycle) -> None:
    if not cycle.response_complete:
        cycle.disconnected = True
    cycle.message_event.set()


def _has_large_body(fields: Fields) -> bool:
    for name, value in fields:
        if name == b"transfer-encoding" or (name == b"content-length" and int(value) > MOST_WHOLE_BYTES):
            return True
    return False
