"""The plain ASGI endpoint that answers every path but the mock's own pages.

It stands in front of FastAPI, whose work on each request would cost more than the whole answer.
"""

from mock_target.handler.asgi_types import App, Receive, Scope, Send
from mock_target.handler.exchange import Exchange
from mock_target.handler.websocket import serve_websocket
from mock_target.state import MockState

ADMIN_PREFIX = "/__admin/"
# To be looked at only: a POST to one of them is a request like any other.
OWN_PATHS = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/health", "/health/"})


class MockEndpoint:
    """Answers every request but those for the mock's own pages, which another app answers, unlogged and at once."""

    def __init__(self, own_pages: App, state: MockState) -> None:
        self._own_pages = own_pages
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or one WebSocket."""
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
    """Say whether a request for `/` comes from a browser; from anything else it is a path like any other."""
    if scope["method"] != "GET":
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
