"""An extension of ASGI: what the gateway needs to know about a client's connection, and ASGI does not report.

The server of `run-fast-priority` offers it with each request (`request_connection.py`). Other servers, as under
`fastapi run`, do not; then the gateway works without it.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.types import Send

from fast_priority.http.message import Fields
from fast_priority.support.byte_stream import ByteStream

EXTENSION = "fast_priority.connection"
"""`scope["extensions"][EXTENSION]["connection"]` is the ClientConnection of the request."""


class DisconnectEvent(asyncio.Event):
    """Set when the client has left; also calls back, for code that does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self._callbacks: dict[Callable[[], object], None] = {}

    def set(self) -> None:
        """Report that the client has left."""
        super().set()
        for callback in list(self._callbacks):
            callback()

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the client leaves, or at once if it has left, until `remove_callback`."""
        if self.is_set():
            callback()
        self._callbacks[callback] = None

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Call it no more."""
        self._callbacks.pop(callback, None)


class ClientConnection(Protocol):
    """The client's connection, for as long as one request on it lasts."""

    raw_target: bytes
    """Path, and `?` with the query even if that is empty, as they stood in the request line; `*` for `OPTIONS *`."""
    left: DisconnectEvent
    """Set as soon as the client has closed its connection, also while nothing is received."""
    wants_websocket: bool
    """Whether the client asks that the connection become a WebSocket."""

    @property
    def takes_at_once(self) -> bool:
        """Return whether what is sent next need not wait until the client has read what was sent before."""
        ...

    @property
    def can_announce_no_body(self) -> bool:
        """Return whether `announce_no_body` has an effect."""
        ...

    def is_reached_by(self, send: Send) -> bool:
        """Return whether `send` is the server's own; otherwise a middleware around it has to see each message."""
        ...

    def send_whole(self, status: int, fields: Fields, body: bytes) -> None:
        """Send the only response to the request, whole; its fields state its length, or it can have no body.

        To be called only if `takes_at_once`, and with fields that are valid: nothing is checked again.
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
        """Close the connection in the middle of a response, so that the client does not take it for complete."""
        ...

    def take_over(self, end: Callable[[], None]) -> ByteStream:
        """Take the connection away from HTTP, with all that the client sent after its request.

        To be called instead of sending a response; the caller then has to close it. `end` is called when the server
        shuts down; the server waits until the connection is closed. Raises ConnectionResetError if the client has left.
        """
        ...


def connection_of(scope: Mapping[str, Any]) -> ClientConnection | None:
    """Return the connection of a request; None if the server does not offer it."""
    extension = (scope.get("extensions") or {}).get(EXTENSION)
    return extension["connection"] if extension else None
