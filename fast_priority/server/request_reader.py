"""Reads requests from the bytes of one client: it feeds the parser, and takes what the parser finds.

uvicorn's protocol feeds the parser with all bytes that it receives. This one feeds it with bytes of one request at a
time, and refuses a head that is over the limits. It parses at most one request ahead of the one that is being answered,
and holds all bytes behind that one unparsed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from fast_priority.errors import GatewayError, MalformedRequest
from fast_priority.http.cors import origins_in_head
from fast_priority.http.fields import asks_for_websocket, has_body
from fast_priority.http.head import head
from fast_priority.http.limits import HeadLimits
from fast_priority.http.message import Bytes
from fast_priority.http.request_bounds import RequestBounds
from fast_priority.http.request_target import read_request_target
from fast_priority.server.connection_state import (
    BODY,
    HEAD,
    HEAD_AGAIN,
    IDLE,
    NEW,
    REFUSED,
    TRANSITIONS,
    Event,
    Lifetime,
)
from fast_priority.server.extension import EXTENSION, DisconnectEvent
from fast_priority.server.http10_response import Http10Cycle
from fast_priority.server.refusals import refusal_of
from fast_priority.server.request_connection import RequestConnection
from fast_priority.server.small_reads import LITTLE_BYTES, BodyReads, declared_body_bytes
from fast_priority.server.transport import ClientTransport, WatchedFlow
from fast_priority.support.byte_stream import ByteStream

_ON_REQUEST = TRANSITIONS[Event.REQUEST]
_ON_HEAD_END = TRANSITIONS[Event.HEAD_END]
_ON_REQUEST_END = TRANSITIONS[Event.REQUEST_END]
_VERSIONS = ("1.1", "1.0")
_MOST_BODY_AHEAD_BYTES = 512 * 1024  # uvicorn's limit is 64 KiB, which cuts large bodies into small pieces


class RequestReader(HttpToolsProtocol):
    """The reading half of a client's connection; `connection_state.py` explains its states."""

    transport: ClientTransport
    flow: WatchedFlow

    def __init__(self, *args: Any, is_last: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left = DisconnectEvent()
        """Set when the client has left."""
        self._reading = NEW
        self._lifetime = Lifetime.LAST_REQUEST if is_last else Lifetime.KEEP_ALIVE
        self._limits = HeadLimits()
        self._bounds = RequestBounds()
        self._body_reads = BodyReads()
        self._held = b""
        """What was received and has to wait, unread, until the requests before it are answered."""
        self._latest: RequestConnection | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a client that has connected."""
        super().connection_made(transport)
        super().on_message_begin()  # makes a scope: bytes that are not a request get a response, too

    def hand_over(self, cycle: RequestResponseCycle, end: Callable[[], None]) -> ByteStream:
        """Return the connection, which is no longer HTTP's. Raises ConnectionResetError if the client has left."""
        raise NotImplementedError

    def is_answering(self) -> bool:
        """Return whether a response is being made or sent."""
        raise NotImplementedError

    def _refuse(self, error: GatewayError) -> None:
        """Send an error, in turn, for what cannot be read, and close the connection."""
        raise NotImplementedError

    def _wait_for_client(self) -> None:
        """Let the timeout run that belongs to the state."""
        raise NotImplementedError

    def _change_state(self, event: Event) -> None:
        self._reading = TRANSITIONS[event][self._reading]

    @property
    def most_read_bytes(self) -> int:
        """Return how many bytes the next read may bring."""
        return self._body_reads.most_bytes if self._reading is BODY else LITTLE_BYTES

    def data_received(self, data: bytes) -> None:
        """Read what the client sends, or hold it until the requests before it are answered."""
        if self._reading is REFUSED or self.transport.lingers:
            return
        if self._reading is NEW:
            self._change_state(Event.BYTES)
        if self.pipeline or self._held:
            self._hold(data)
            return
        self._limits.count_received(len(data))
        try:
            self._read(data)
            self._limits.check_progress()
        except httptools.HttpParserError as error:
            self._refuse(refusal_of(error))
        except GatewayError as error:
            self._refuse(error)
        self._wait_for_client()

    def _read(self, data: bytes) -> None:
        """Parse until a request has to wait for those before it; hold the rest."""
        unread: Bytes = data if len(data) <= LITTLE_BYTES else memoryview(data)
        while unread and not self.pipeline:
            unread = self._feed(unread)
        if self.pipeline:
            self._hold(unread)

    def _hold(self, data: Bytes) -> None:
        self._held += data
        self.flow.hold()

    def _feed(self, data: Bytes) -> Bytes:
        """Parse one piece, and return what is still to be parsed. The parser stops behind every Upgrade field."""
        count = self._bounds.next_piece(data, LITTLE_BYTES)
        piece = data[:count]
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._reading is HEAD_AGAIN:
                self._bounds.begin()
                return self._head_without_upgrade() + bytes(rest)
            if self._latest is None or not self._latest.wants_websocket:
                return rest
            self._hold(rest)  # the response decides whether these are frames or the next request
            return b""
        except httptools.HttpParserError:
            self._note_origin(piece)
            raise
        return data[count:]

    def _note_origin(self, piece: Bytes) -> None:
        """Take the Origin from a piece of a head with a fault: the parser keeps the last field before it to itself."""
        if self._reading is HEAD and not any(name == b"origin" for name, _ in self.headers):
            self.headers += [(b"origin", origin) for origin in origins_in_head(bytes(piece))]

    def _head_without_upgrade(self) -> bytes:
        line = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return head(line, [field for field in self.headers if field[0] != b"upgrade"])

    # The parser calls these.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._bounds.check_is_given()
        self._reading = _ON_REQUEST[self._reading]
        super().on_message_begin()
        self._limits.begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        super().on_url(url)
        self._limits.count_target(self.parser.get_method(), self.url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, or drop it if it is a trailer field.

        A trailer field counts only where its definition allows it (RFC 9110, section 6.5.1), and could otherwise stand
        for a field that only a trusted proxy may set.
        """
        self._limits.count_field(name, value)
        if self._reading is HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take the end of a head: the request can be answered."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if version not in _VERSIONS:
            raise MalformedRequest("only HTTP/1.1 and HTTP/1.0 are supported")
        self._bounds.check_line()
        asks_for_upgrade = self.parser.should_upgrade()
        if asks_for_upgrade and method != b"CONNECT" and has_body(self.headers):
            self._change_state(Event.HEAD_WITH_UPGRADE)
            return
        if version == "1.0":
            self.expect_100_continue = False  # a client of HTTP/1.0 expects no such thing (RFC 9110, section 10.1.1)
        self._bounds.begin_body(self.headers)
        target = read_request_target(method, self.url)
        self.url = target.raw
        self.scope["headers"] = self.headers = target.with_its_host(self.headers)
        may_switch = asks_for_upgrade and method == b"GET" and version == "1.1" and not self.is_answering()
        self._body_reads.begin(declared_body_bytes(self.headers))
        super().on_headers_complete()
        if version == "1.0":
            self.cycle.__class__ = Http10Cycle  # uvicorn makes it, and nothing has used it yet
        wants_websocket = may_switch and asks_for_websocket(self.headers)
        self._latest = RequestConnection(self, self.cycle, target.raw, wants_websocket=wants_websocket)
        self.scope["extensions"] = {EXTENSION: {"connection": self._latest}}  # nothing has looked at the scope yet
        if self._lifetime is not Lifetime.KEEP_ALIVE:
            self.cycle.keep_alive = False
        self._reading = _ON_HEAD_END[self._reading]
        self._limits.progress()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; uvicorn's cycle keeps it until the application receives it."""
        self._limits.progress()
        self._body_reads.count(len(body))
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if self._body_reads.is_held:
            self.flow.hold()
        elif len(self.cycle.body) > _MOST_BODY_AHEAD_BYTES:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._limits.progress()
        self._reading = _ON_REQUEST_END[self._reading]
        if self._reading is IDLE:
            super().on_message_complete()
            self._bounds.begin()

    def hold_body(self) -> None:
        """Read no more of the current request's body than its first piece, of at most 8 KiB, until `let_body_flow`."""
        self._body_reads.is_held = True
        if self.cycle.body:  # it has come together with the head
            self.flow.hold()

    def let_body_flow(self) -> None:
        """Read the body as it is received."""
        self._body_reads.is_held = False
        if not self.pipeline and not self._held:
            self.flow.let_go()

    def _should_upgrade(self) -> bool:
        return False  # a WebSocket begins as a request like any other; whatever answers it takes the connection over
