"""The plain ASGI endpoint that handles every path except the mock's own pages.

It stands in front of FastAPI, because FastAPI's routing would cost more than the whole response.
"""

from mock_target.handler.asgi_types import App, Receive, Scope, Send
from mock_target.handler.exchange import Exchange
from mock_target.handler.websocket import serve_websocket
from mock_target.state import MockState

ADMIN_PREFIX = "/__admin/"
# For GET and HEAD only: a POST to one of them is echoed like any other request.
OWN_PATHS = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/health", "/health/"})


class MockEndpoint:
    """Handles every request except those for the mock's own pages, which another app handles at once and unlogged."""

    def __init__(self, own_pages: App, state: MockState) -> None:
        self._own_pages = own_pages
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or one WebSocket."""
        if scope["type"] == "http" and not _is_own_page(scope):
            await Exchange(self._state, scope, receive, send).run()
        elif scope["type"] == "websocket":
            await serve_websocket(self._state.arrivals, scope, receive, send)
        else:
            await self._own_pages(scope, receive, send)


def _is_own_page(scope: Scope) -> bool:
    path: str = scope["path"]
    if path.startswith(ADMIN_PREFIX):
        return True
    if path in OWN_PATHS:
        return scope["method"] in {"GET", "HEAD"}
    return path == "/" and _wants_page(scope)


def _wants_page(scope: Scope) -> bool:
    """Return whether a request for `/` comes from a browser; any other client gets the echo."""
    if scope["method"] != "GET":
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
