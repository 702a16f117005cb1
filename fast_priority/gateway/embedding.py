"""The gateway inside other applications: behind middleware, beside routes that users add, below a prefix.

There a response is sent by `send`, message by message: any other way would bypass the middleware. And the path of a
request may begin with a prefix that the target does not know.
"""

from collections.abc import Callable, Iterable

from starlette.routing import BaseRoute, Match
from starlette.types import Message, Scope, Send

from fast_priority.http.root_path import path_below, raw_path_below, request_target
from fast_priority.server import EXTENSION, ClientConnection, connection_of
from fast_priority.support.byte_stream import ByteStream

ROOT_PATH = "fast_priority.root_path"
"""The key, in the scope of a request below a prefix, of the prefix that was removed."""

_CLIENT_CLOSED_REQUEST = 499  # as nginx logs it; the client does not get it, but a middleware may log it
_SWITCHING_PROTOCOLS = 101
_NOT_MODIFIED = 304


class RelayedConnection:
    """A client's connection behind a middleware: responses are sent in messages only."""

    takes_at_once = False

    def __init__(self, connection: ClientConnection, raw_target: bytes, *, can_announce_no_body: bool) -> None:
        self._connection = connection
        self.raw_target = raw_target
        self.left = connection.left
        self.wants_websocket = connection.wants_websocket
        self.can_announce_no_body = can_announce_no_body
        self.is_taken = False
        """Whether it has become the connection of a WebSocket."""

    def is_reached_by(self, send: Send) -> bool:
        """Return False: a middleware stands between."""
        return False

    def send_whole(self, status: int, fields: object, body: bytes) -> None:
        """Raise RuntimeError: the response would bypass the middleware."""
        raise RuntimeError("a response behind a middleware is sent in messages")

    def hold_body(self) -> None:
        """Read no more of the request's body than its first piece."""
        self._connection.hold_body()

    def let_body_flow(self) -> None:
        """Read the body as fast as it is received."""
        self._connection.let_body_flow()

    def announce_no_body(self) -> None:
        """Do nothing: `_announcing` does it when a head is sent, which may be later, and may be another head."""

    def abort(self) -> None:
        """Close the connection at once."""
        self._connection.abort()

    def take_over(self, end: Callable[[], None]) -> ByteStream:
        """Return the connection, on which no more HTTP follows. Raises ConnectionResetError if the client has left."""
        stream = self._connection.take_over(end)
        self.is_taken = True
        return stream


def relayed(scope: Scope, send: Send) -> tuple[Scope, Send]:
    """Return the scope and the `send` for an application that has middleware."""
    connection = connection_of(scope)
    if connection is None:
        return scope, send
    is_first = connection.is_reached_by(send)
    inner = RelayedConnection(connection, connection.raw_target, can_announce_no_body=is_first)
    return _with_connection(scope, inner), _announcing(send, connection) if is_first else send


def is_direct(scope: Scope, send: Send) -> bool:
    """Return whether no middleware stands between server and gateway, and the path has no prefix."""
    connection = connection_of(scope)
    return connection is not None and not scope.get("root_path") and connection.is_reached_by(send)


def scope_below(scope: Scope) -> Scope:
    """Return the scope of a request as the target is to get it: without the prefix of the application.

    A path that a middleware has written into the scope wins over the path of the request line. The prefix is in the
    new scope under `ROOT_PATH`, for the response.
    """
    root_path: str = scope.get("root_path") or ""
    path: str = scope["path"]
    if scope["method"] == "OPTIONS" and path == f"{root_path}*":
        below, raw_path = "*", b"*"
    else:
        below, raw_path = path_below(path, root_path), raw_path_below(scope.get("raw_path"), path, root_path)
    inner: Scope = {**scope, "path": below, "raw_path": raw_path, "root_path": "", ROOT_PATH: root_path}
    connection = connection_of(scope)
    if connection is None:
        return inner
    raw_target = request_target(raw_path, scope["query_string"], connection.raw_target)
    announces = isinstance(connection, RelayedConnection) and connection.can_announce_no_body
    return _with_connection(inner, RelayedConnection(connection, raw_target, can_announce_no_body=announces))


class Messages:
    """Passes on the messages of one response, and completes the response for middleware that waits for one."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._connection = connection_of(scope)
        self._send = send
        self._has_begun = False

    async def send(self, message: Message) -> None:
        """Pass on one message."""
        if message["type"] == "http.response.start":
            self._has_begun = True
            # A copy: a middleware may change the list in place, and the gateway uses it for later responses.
            message = {**message, "headers": list(message["headers"])}
        await self._send(message)

    async def complete(self) -> None:
        """Send a response without a body if no response has begun; the server does not send it to the client.

        So it is when the client has left, or when the connection has become a WebSocket's.
        """
        if self._has_begun:
            return
        is_taken = isinstance(self._connection, RelayedConnection) and self._connection.is_taken
        status = _SWITCHING_PROTOCOLS if is_taken else _CLIENT_CLOSED_REQUEST
        await self._send({"type": "http.response.start", "status": status, "headers": []})
        await self._send({"type": "http.response.body", "body": b""})


def method_of_route(routes: Iterable[BaseRoute], scope: Scope) -> str | None:
    """Return the method with which one of these routes matches: the request's own, or GET for a HEAD; else None."""
    method: str = scope.get("method", "")
    for asked in (method, "GET") if method == "HEAD" else (method,):
        # A copy: a route may write into the scope.
        if any(route.matches({**scope, "method": asked})[0] is Match.FULL for route in routes):
            return asked
    return None


def _with_connection(scope: Scope, connection: RelayedConnection) -> Scope:
    return {**scope, "extensions": {**scope["extensions"], EXTENSION: {"connection": connection}}}


def _announcing(send: Send, connection: ClientConnection) -> Send:
    """Return a `send` with which a 304 keeps its Content-Length, which is that of another response."""

    async def announce(message: Message) -> None:
        await send(message)
        if message["type"] == "http.response.start" and message["status"] == _NOT_MODIFIED:
            connection.announce_no_body()

    return announce
