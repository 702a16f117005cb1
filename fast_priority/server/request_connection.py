"""A client's connection as one request on it sees it: the ClientConnection of `extension.py`."""

import weakref
from collections.abc import Callable
from typing import Protocol

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fast_priority.http.head import response_head
from fast_priority.http.message import Fields
from fast_priority.server.extension import DisconnectEvent
from fast_priority.server.transport import ClientTransport, WatchedFlow
from fast_priority.support.byte_stream import ByteStream

_CLOSE = (b"connection", b"close")


class Connection(Protocol):
    """What a request needs of the protocol of its connection; `HttpProtocol` is one."""

    transport: ClientTransport
    flow: WatchedFlow
    left: DisconnectEvent

    def hold_body(self) -> None:
        """Read no more of the body than its first piece, until `let_body_flow`."""

    def let_body_flow(self) -> None:
        """Read the body as it is received."""

    def hand_over(self, cycle: RequestResponseCycle, end: Callable[[], None]) -> ByteStream:
        """Return the connection, which is no longer HTTP's. Raises ConnectionResetError if the client has left."""


class RequestConnection:
    """The connection, to be used until its request is answered.

    It refers weakly to the protocol, and to the cycle whose scope contains it (gc_tuning.py).
    """

    can_announce_no_body = True

    def __init__(
        self, protocol: Connection, cycle: RequestResponseCycle, raw_target: bytes, *, wants_websocket: bool
    ) -> None:
        self._protocol: Connection = weakref.proxy(protocol)
        self._cycle: RequestResponseCycle = weakref.proxy(cycle)
        self._cycle_id = id(cycle)
        self.raw_target = raw_target
        self.left = protocol.left
        self.wants_websocket = wants_websocket

    @property
    def takes_at_once(self) -> bool:
        """Return whether what is sent next need not wait."""
        return not self._protocol.flow.write_paused

    def is_reached_by(self, send: Send) -> bool:
        """Return whether `send` is the server's own."""
        return id(getattr(send, "__self__", None)) == self._cycle_id

    def send_whole(self, status: int, fields: Fields, body: bytes) -> None:
        """Send a whole response in one write; uvicorn takes two messages for it, and checks each of them again."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        if _CLOSE in fields:
            cycle.keep_alive = False  # the response is the gateway's own: those of the target have no such field
        elif not cycle.keep_alive:
            fields = [_CLOSE, *fields]
        cycle.response_started, cycle.waiting_for_100_continue = True, False
        cycle.transport.write(response_head(status, fields) + body)
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
        """Close the connection at once, in the middle of a response."""
        disconnect(self._cycle)
        self._protocol.transport.abort()

    def take_over(self, end: Callable[[], None]) -> ByteStream:
        """Take the connection away from HTTP. Raises ConnectionResetError if the client has left."""
        return self._protocol.hand_over(self._cycle, end)


def disconnect(cycle: RequestResponseCycle) -> None:
    """Report to whatever answers a request that its client has left, unless it is answered already."""
    if not cycle.response_complete:
        cycle.disconnected = True
    cycle.message_event.set()
