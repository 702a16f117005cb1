"""WebSockets behind middleware: it sees the handshake, and nothing after that."""

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fast_priority.local.child_processes import wait_until
from tests.integration.gateway.embedding_rig import PATIENCE_SECONDS, Behind, served
from tests.integration.server.protocol_rig import read_through

HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n"
)
Next = Callable[[Request], Awaitable[Response]]


def opened(port: int, path: str) -> Any:
    return connect(f"ws://127.0.0.1:{port}{path}", proxy=None, open_timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("base", [True, False])
def test_messages_pass(behind: Behind, base: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A WebSocket passes a middleware that lets its handshake pass; it sees 101, and no error at the end."""
    app = behind.app()
    statuses: list[int] = []

    async def watch(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        statuses.append(response.status_code)
        return response

    class Watching:
        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def watching(message: Any) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                await send(message)

            await self._app(scope, receive, watching)

    if base:
        app.middleware("http")(watch)
    else:
        app.add_middleware(Watching)
    with served(app) as client:
        port = client.base_url.port or 0
        with opened(port, "/mock/websocket") as websocket:
            websocket.send("hello")
            assert websocket.recv(PATIENCE_SECONDS) == "hello"
        wait_until("the middleware sees the end", lambda: statuses == [101])
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_handshake_that_the_target_declines(behind: Behind) -> None:
    """The response with which the target declines passes the middleware, which can change it."""
    app = behind.app()

    @app.middleware("http")
    async def mark(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers["x-marked"] = "1"
        return response

    with served(app) as client, socket.create_connection(("127.0.0.1", client.base_url.port or 0)) as raw:
        raw.settimeout(PATIENCE_SECONDS)
        raw.sendall(HANDSHAKE % b"")
        assert b"\r\nx-marked: 1\r\n" in read_through(raw, b"\r\n\r\n")


def test_a_route_for_websockets(behind: Behind) -> None:
    """Behind a server with WebSockets of its own, a user's WebSocket route is served, and others are declined."""
    app = behind.app()

    @app.websocket("/mine")
    async def mine(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text() * 2)
        await websocket.close()

    with served(app, "uvicorn") as client:
        port = client.base_url.port or 0
        with opened(port, "/mine") as websocket:
            websocket.send("ab")
            assert websocket.recv(PATIENCE_SECONDS) == "abab"
        with pytest.raises(InvalidStatus) as declined:
            opened(port, "/other")
        assert declined.value.response.status_code == 501
    assert behind.saw() == []
