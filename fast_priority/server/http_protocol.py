"""HTTP towards clients: uvicorn's protocol, with the limits and the patience of an intermediary.

What ASGI has no words for is offered to the gateway as an extension (`client_connection.py`).
"""

import asyncio
import logging
import weakref
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from fast_priority.errors import GatewayError, GatewayNotReady, HeadTimeout, MalformedRequest
from fast_priority.http.asgi import Send
from fast_priority.http.client_patience import ClientTimeout
from fast_priority.http.fields import asks_for_websocket, has_body
from fast_priority.http.limits import HeadLimits
from fast_priority.http.memo import memoized
from fast_priority.http.message import Bytes, Fields
from fast_priority.http.problem import answer_problem
from fast_priority.http.request_bounds import RequestBounds
from fast_priority.http.request_target import read_request_target
from fast_priority.server.extension import EXTENSION, Leaving
from fast_priority.server.read_size import LITTLE_BYTES, ReadSize, declared_body_bytes
from fast_priority.server.slow_readers import Taking
from fast_priority.server.timeouts import Clock, ConnectionTimeouts, Wait
from fast_priority.server.transport import ClientTransport, TakenOver, WatchedFlow
from fast_priority.support.byte_stream import ByteStream
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

_VERSIONS = ("1.1", "1.0")
_MOST_BODY_AHEAD_BYTES = 512 * 1024  # uvicorn stops at an eighth of it, and so gives a body that flows in small pieces
_CLOSES = (b"connection", b"close")
_UNREAD = {"method": "GET", "path": "", "query_string": b""}
_refusals: dict[str, OutageLog] = {}


class HttpProtocol(HttpToolsProtocol):
    """One client's connection. `is_last` says that one request is answered on it and no more."""

    transport: ClientTransport
    flow: WatchedFlow

    def __init__(self, *args: Any, clocks: ConnectionTimeouts, is_last: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clocks = clocks
        # What belongs to a connection refers to it weakly: no circle is left of one that has ended.
        self._itself: HttpProtocol = weakref.proxy(self)
        self._wait = Wait(self._itself, clocks, self.loop)
        self._read_size = ReadSize()
        self._is_last = is_last
        self.left = Leaving()
        """Set when the client has left."""
        self._limits = HeadLimits()
        self._bounds = RequestBounds()
        self.in_head = True
        self._is_refused = self._is_draining = self._is_misread = False
        self._has_sent = self._in_message = False
        self._answering: RequestResponseCycle | None = None
        self._latest: Connection | None = None
        self._held = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self.on_message_begin()  # what comes may not even be the beginning of a request, and is answered nevertheless
        self.flow = WatchedFlow(transport)
        itself = self._itself
        self.transport = ClientTransport(
            transport, self.flow, lambda: itself._client_may_still_send(), self._wait.close
        )
        self._taking = Taking(self.transport, ClientTimeout(self._clocks.taking.seconds))
        self._wait.by(self._clocks.head)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left, or was left: whoever works for it is told, with pipelined requests, too."""
        self.flow.unwatch()
        self.left.set()
        super().connection_lost(exc)
        self._wait.end()
        self._clocks.taking.end(self._taking)
        if self._answering is not None:
            _disconnect(self._answering)
        for cycle, _ in self.pipeline:
            cycle.on_response = _nothing  # its turn never comes, and so neither does uvicorn's own end of that circle
        self.pipeline.clear()

    @property
    def most_read_bytes(self) -> int:
        """How many bytes the next read may bring."""
        return self._read_size.most_bytes

    def pause_writing(self) -> None:
        """The client has yet to take some of what it was sent."""
        super().pause_writing()
        self._clocks.begin_taking(self._taking, self.loop)

    def resume_writing(self) -> None:
        """The client, or its system, has taken all of it."""
        super().resume_writing()
        self._clocks.taking.end(self._taking)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        if self._is_refused or self.transport.lingers:
            return
        self._has_sent = True
        if self.pipeline or self._held:
            self._hold(data)
            return
        self._limits.count_received(len(data))
        try:
            self._read(data)
            self._limits.check_progress()
        except httptools.HttpParserError as error:
            self._refuse(_refusal_of(error))
        except GatewayError as error:
            self._refuse(error)
        self._set_clock()

    def _read(self, data: bytes) -> None:
        """Read until a request has to wait for those before it; then what follows it waits unread."""
        unread: Bytes = data if len(data) <= LITTLE_BYTES else memoryview(data)
        while unread and not self.pipeline:
            unread = self._feed(unread)
        if self.pipeline:
            self._hold(unread)

    def _hold(self, data: Bytes) -> None:
        self._held += data
        self.flow.hold()

    def _feed(self, data: Bytes) -> Bytes:
        """Read, and give what is still to be read: the parser stops at every Upgrade, whatever it asks for."""
        count = self._bounds.next_piece(data, LITTLE_BYTES)
        try:
            self.parser.feed_data(data[:count])
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._is_misread:
                self._is_misread = False
                self._bounds.begin()
                return self._head_without_upgrade() + bytes(rest)
            if self._latest is None or not self._latest.wants_websocket:
                return rest
            self._hold(rest)  # it depends on the answer what this is: frames, or the next request
            return b""
        return data[count:]

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
        fields = (name + b": " + value + b"\r\n" for name, value in self.headers if name != b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return line + b"".join(fields) + b"\r\n"

    def on_message_begin(self) -> None:
        """A request begins."""
        self._bounds.check_is_given()
        super().on_message_begin()
        self._in_message = True
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
        self._bounds.check_line()
        if version == "1.0":
            self.expect_100_continue = False  # a client of HTTP/1.0 expects no such thing (RFC 9110, section 10.1.1)
        if self.parser.should_upgrade() and method != b"CONNECT" and has_body(self.headers):
            # The parser takes what follows for another protocol, where it is the body; it would read it as requests.
            # Without the field, which is for this connection only, it reads it as it should.
            self._is_misread = True
            return
        self._bounds.begin_body(self.headers)
        target = read_request_target(method, self.url)
        self.url = target.raw
        self.scope["headers"] = self.headers = target.with_its_host(self.headers)
        may_switch = self.parser.should_upgrade() and method == b"GET" and version == "1.1" and not self._is_answering()
        self._read_size.begin_body(declared_body_bytes(self.headers))
        super().on_headers_complete()
        wants_websocket = may_switch and asks_for_websocket(self.headers)
        self._latest = Connection(self._itself, self.cycle, target.raw, wants_websocket)
        self.scope["extensions"] = {EXTENSION: {"connection": self._latest}}  # the answering has not begun yet
        if self._is_last or self._is_draining:
            self.cycle.keep_alive = False
        self.in_head = False
        self._limits.progress()

    def on_body(self, body: bytes) -> None:
        """A part of the body has come; uvicorn holds it until somebody receives."""
        self._limits.progress()
        self._read_size.count_body(len(body))
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if self._read_size.holds_body:
            self.flow.hold()
        elif len(self.cycle.body) > _MOST_BODY_AHEAD_BYTES:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        self._limits.progress()
        if self._is_misread:
            return
        super().on_message_complete()
        self._bounds.begin()
        self._read_size.end_body()
        self.in_head = True
        self._in_message = False

    def on_response_complete(self) -> None:
        """The response has been sent: it is the turn of the next request."""
        self.server_state.total_requests += 1
        self._read_size.holds_body = False
        if self.transport.is_closing():
            self._wait.close()
            return
        if len(self.pipeline) <= 1:
            self.flow.let_go()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self._held and not self.pipeline:
            held, self._held = self._held, b""
            self.data_received(held)
        else:
            self._set_clock()

    def lose_patience(self, clock: Clock) -> None:
        """What is awaited of the client has not come in time."""
        if self._has_sent and clock is self._clocks.head:
            self._refuse(HeadTimeout(f"it was not whole after {clock.seconds:g} s"))
        elif self.transport.has_more_to_read() and not self.transport.is_closing():
            self._wait.by(clock)  # it is about to be read
        else:
            self.transport.close()

    def _set_clock(self) -> None:
        """Find out what the client is to do next, and give it the time for that."""
        if self.transport.is_closing():
            return
        if self._is_answering():
            self._wait.by(None)
        else:
            self._wait.by(self._clocks.head if self._in_message else self._clocks.idle)

    def hand_over(self, cycle: RequestResponseCycle, end: Callable[[], None]) -> TakenOver:
        """Let somebody who speaks no HTTP have the connection. Raises ConnectionResetError if the client has left."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client has left")
        cycle.response_started = cycle.response_complete = True
        cycle.disconnected = True  # a middleware that ends the request with a response sends that to nobody
        self._wait.end()
        self._clocks.taking.end(self._taking)
        self.flow.unwatch()
        self.parser = None  # type: ignore[assignment]  # it refers to this protocol, which hears of no end any more
        self.connections.discard(self)
        taken = TakenOver(self.connections, end)
        taken.take(self.transport.hand_over(), self._held, write_paused=self.flow.write_paused)
        if self._is_draining:
            end()
        return taken

    def hold_body(self) -> None:
        """Read no more of the current request's body than its first piece, of at most 8 KiB, until `let_body_flow`."""
        self._read_size.holds_body = True
        if self.cycle.body:  # it has come together with the head
            self.flow.hold()

    def let_body_flow(self) -> None:
        """Read the body as it is received."""
        self._read_size.holds_body = False
        if not self.pipeline and not self._held:
            self.flow.let_go()

    def shutdown(self) -> None:
        """The server shuts down: what is under way, or on its way, is answered, and is the last."""
        self._is_draining = True
        if not self._has_sent:
            self._wait.by(self._clocks.idle)
        elif self._is_answering() and not self.cycle.response_started:
            self.cycle.keep_alive = False  # the latest; those before it would otherwise be the last

    def give_up(self) -> None:
        """The server waits no longer: what has not begun to be answered hears so, and all else breaks off."""
        answering = self._answering
        if answering is None or answering.response_started or self.transport.is_closing():
            self.transport.abort()
            return
        self._is_refused = True
        self.pipeline.clear()
        _disconnect(answering)
        self.left.set()
        self._answering = None
        self.scope = answering.scope
        self._answer_with(GatewayNotReady("it ends, and the request's turn did not come"))

    def _should_upgrade(self) -> bool:
        return False  # a WebSocket begins as a request like any other; whoever answers it takes the connection over

    def _client_may_still_send(self) -> bool:
        return self._is_refused or (self._answering is not None and self._answering.more_body)

    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)
        if cycle.more_body and self._read_size.body_is_large:
            self.flow.pause_reading()  # until somebody receives: a request that waits holds none of its body

    def _refuse(self, error: GatewayError) -> None:
        """Answer what cannot be read with an error, when its turn comes, and close the connection."""
        self._is_refused = True
        kind = _refusals.setdefault(error.slug, OutageLog(f"answered {error.status} {error.slug}", logger))
        kind.failure(error.detail)
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
    """A ClientConnection: the connection as one request on it sees it, to be used for as long as that is answered."""

    def __init__(
        self, protocol: HttpProtocol, cycle: RequestResponseCycle, raw_target: bytes, wants_websocket: bool
    ) -> None:
        self._protocol = protocol
        # Its scope has this connection in it: a circle, and one for each request is much for the collector of garbage.
        self._cycle: RequestResponseCycle = weakref.proxy(cycle)
        self._cycle_id = id(cycle)
        self.raw_target = raw_target
        self.left = protocol.left
        self.wants_websocket = wants_websocket
        self.can_announce_no_body = True

    @property
    def takes_at_once(self) -> bool:
        """Whether what is sent next need not wait."""
        return not self._protocol.flow.write_paused

    def is_reached_by(self, send: Send) -> bool:
        """Return whether `send` is the server's own."""
        return id(getattr(send, "__self__", None)) == self._cycle_id

    def send_whole(self, status: int, fields: Fields, body: bytes) -> None:
        """Send a whole response, in one piece: uvicorn's own way is two messages, each looked through once more."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        if _CLOSES in fields:
            cycle.keep_alive = False  # it is the gateway's own: one of the target's has no such field
        elif not cycle.keep_alive:
            fields = [*fields, _CLOSES]
        cycle.response_started, cycle.waiting_for_100_continue = True, False
        cycle.transport.write(b"".join((STATUS_LINE[status], _field_lines(fields), body)))
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def hold_body(self) -> None:
        """Read no more of the body than its first piece, until `let_body_flow`."""
        if self._cycle.more_body:
            self._protocol.hold_body()

    def let_body_flow(self) -> None:
        """Read the body as it is received."""
        self._protocol.let_body_flow()

    def announce_no_body(self) -> None:
        """Let the response end without the bytes that its Content-Length names."""
        self._cycle.expected_content_length = 0

    def abort(self) -> None:
        """Break the connection off."""
        _disconnect(self._cycle)
        self._protocol.transport.abort()

    def take_over(self, end: Callable[[], None]) -> ByteStream:
        """Take the connection away from HTTP. Raises ConnectionResetError if the client has left."""
        return self._protocol.hand_over(self._cycle, end)


@memoized
def _field_lines(fields: Fields) -> bytes:
    return b"".join([*(b"%b: %b\r\n" % (name.lower(), value) for name, value in fields), b"\r\n"])


def _refusal_of(error: httptools.HttpParserError) -> GatewayError:
    cause = error.__context__
    if isinstance(cause, GatewayError):
        return cause
    if cause is not None and not isinstance(cause, httptools.HttpParserError):
        logger.error("reading a request", exc_info=cause)
        return GatewayError()
    return MalformedRequest("it is not a request of HTTP/1.1")


def _nothing() -> None:
    pass


def _disconnect(cycle: RequestResponseCycle) -> None:
    if not cycle.response_complete:
        cycle.disconnected = True
    cycle.message_event.set()
