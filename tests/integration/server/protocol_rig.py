"""The gateway's HTTP protocol in front of an ASGI application of a test's own, and raw sockets as its clients."""

import gc
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fast_priority.local.child_processes import wait_until
from fast_priority.server.admission import ConnectionLimiter
from fast_priority.server.graceful import GracefulServer
from fast_priority.server.http_protocol import HttpProtocol
from fast_priority.server.timeouts import ConnectionTimeouts

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
"""The beginning of a request that is complete with an empty line."""
PATIENCE_SECONDS = 30

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


@contextmanager
def serving(application: Application, **limits: Any) -> Iterator[int]:
    """Serve the application as the gateway is served; yields the port."""
    with serving_until_told(application, **limits) as (port, _):
        yield port


@contextmanager
def serving_until_told(
    application: Application,
    *,
    head_seconds: float = PATIENCE_SECONDS,
    idle_seconds: float = PATIENCE_SECONDS,
    read_seconds: float = PATIENCE_SECONDS,
    drain_seconds: float = 1.0,
    delay_seconds: float = 0.0,
    on_signal: Callable[[], None] = lambda: None,
    **admission: Any,
) -> Iterator[tuple[int, GracefulServer]]:
    """Serve the application; yields the port and the server, which ends when its `should_exit` is set."""
    listener = socket.create_server(("127.0.0.1", 0))
    timeouts = ConnectionTimeouts(head_seconds, idle_seconds, read_seconds)
    config = uvicorn.Config(
        application,
        http=ConnectionLimiter(timeouts, **admission),  # type: ignore[arg-type]
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        access_log=False,
    )
    server = GracefulServer(config, timeouts, drain_seconds, on_signal, delay_seconds)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until("it serves", lambda: server.started)
        yield listener.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """Connect as a client; yields the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as client:
        yield client


def read_to_the_end(client: socket.socket) -> bytes:
    """Return all bytes until the other side closes in an orderly way."""
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def kept_of_http() -> int:
    """Return how many connections, and requests on them, servers of this process hold."""
    return sum(type(each) in (HttpProtocol, RequestResponseCycle) for each in gc.get_objects())


def read_through(client: socket.socket, end: bytes) -> bytes:
    """Return all bytes up to these, and these."""
    received = b""
    while not received.endswith(end):
        piece = client.recv(1)
        assert piece, f"the connection ended after {received[-200:]!r}"
        received += piece
    return received


def connection_in(scope: dict[str, Any]) -> Any:
    """Return the ClientConnection of a request."""
    return scope["extensions"]["fast_priority.connection"]["connection"]


async def answer(send: Send, body: bytes = b"", status: int = 200, **fields: str) -> None:
    """Send a response with these fields, or with a Content-Length only."""
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    headers = headers or [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Echo:
    """Answers each request with a description of what the server passed to it, and keeps all scopes."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        target = connection_in(scope).raw_target.decode()
        passed = {"target": target, "size": len(body), "fields": [name.decode() for name, _ in scope["headers"]]}
        await answer(send, json.dumps(passed).encode())


class Waiting:
    """Sends no response and receives nothing; notes which clients have left."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.left: list[str] = []
        self._connections: list[Any] = []

    def held_bytes(self) -> list[int]:
        """Return how many bytes of each request's body are in memory."""
        return [len(connection._cycle.body) for connection in self._connections]

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._connections.append(connection_in(scope))
        self.begun.release()
        await connection_in(scope).left.wait()
        self.left.append(scope["path"])
