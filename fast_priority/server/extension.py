"""What the gateway needs to know of a client's connection, and ASGI does not tell: one extension of it.

`run-fast-priority` offers it with each request (`http_protocol.py`). Another server, as under `fastapi run`, does not;
then the gateway works without.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.types import Send

from fast_priority.http.message import Fields
from fast_priority.support.byte_stream import ByteStream

EXTENSION = "fast_priority.connection"
"""`scope["extensions"][EXTENSION]["connection"]` is the ClientConnection of the request."""


class Leaving(asyncio.Event):
    """Set when the client has left; also tells those who do not wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._to_tell: dict[Callable[[], object], None] = {}

    def set(self) -> None:
        """The client has left."""
        super().set()
        for callback in list(self._to_tell):
            callback()

    def tell(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the client leaves, or at once if it has left, until `tell_no_more`."""
        if self.is_set():
            callback()
        self._to_tell[callback] = None

    def tell_no_more(self, callback: Callable[[], object]) -> None:
        """Forget it."""
        del self._to_tell[callback]


class ClientConnection(Protocol):
    """The client's connection, for as long as one request on it lasts."""

    raw_target: bytes
    """Path, and `?` with the query even if that is empty, as they stood in the request line; `*` for `OPTIONS *`."""
    left: Leaving
    """Set as soon as the client has closed its connection, whether or not somebody receives."""
    wants_websocket: bool
    """Whether the client asks that the connection become a WebSocket."""

    @property
    def takes_at_once(self) -> bool:
        """Whether what is sent next need not wait until the client has taken what was sent before."""
        ...

    @property
    def can_announce_no_body(self) -> bool:
        """Whether `announce_no_body` does what it promises."""
        ...

    def is_reached_by(self, send: Send) -> bool:
        """Return whether `send` is the server's own, with no middleware around it that would miss what goes past it."""
        ...

    def send_whole(self, status: int, fields: Fields, body: bytes) -> None:
        """Send a whole response, which says itself how long it is or can have no body. It is the request's only one.

        To be called only if the client takes it at once, and with fields that may be sent: nothing is looked at again.
        """
        ...

    def hold_body(self) -> None:
        """Read no more of the request's body than its first piece, of at most 8 KiB, until `let_body_flow`.

        To be called before anything is received.
        """
        ...

    def let_body_flow(self) -> None:
        """Read the body as it is received."""
        ...

    def announce_no_body(self) -> None:
        """Let a response whose head has just been sent end without the bytes that its Content-Length names.

        To be called for a 304, whose Content-Length is that of another response (RFC 9110, section 8.6).
        """
        ...

    def abort(self) -> None:
        """Break the connection off in the midst of a response, which the client must not take for a whole one."""
        ...

    def take_over(self, end: Callable[[], None]) -> ByteStream:
        """Take the connection away from HTTP, with all that the client sent after its request.

        To be called instead of sending a response; whoever takes it closes it. `end` is called when the server shuts
        down, which waits until the connection is closed. Raises ConnectionResetError if the client has left.
        """
        ...


def connection_of(scope: Mapping[str, Any]) -> ClientConnection | None:
    """Give the connection that a request came on; None if the server does not tell of it."""
    extension = (scope.get("extensions") or {}).get(EXTENSION)
    return extension["connection"] if extension else None
