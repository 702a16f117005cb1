"""The FastAPI application that the gateway is: its own pages, what users add to it, and the way to the target."""

from collections.abc import Iterable
from typing import NamedTuple

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from fast_priority.broker.monitor import QueueMonitor
from fast_priority.errors import MalformedRequest
from fast_priority.gateway.embedding import Messages, is_direct, method_of_route, relayed, scope_below
from fast_priority.gateway.handler import Gateway, answer_unavailable
from fast_priority.gateway.health import HealthChecks
from fast_priority.gateway.startup import OncePerLoop
from fast_priority.gateway.websockets import decline_websocket
from fast_priority.http.problem import answer_problem
from fast_priority.http.root_path import path_below
from fast_priority.server import connection_of


class Service(NamedTuple):
    """What carries requests on one event loop."""

    gateway: Gateway
    monitor: QueueMonitor
    checks: HealthChecks


class GatewayApp(FastAPI):
    """A FastAPI application that answers its own pages, then the routes that users add; all else is the target's.

    Middleware, routes and handlers may be added as to any other. Without any, a request for the target goes past
    FastAPI. `own_paths` are those of the pages, which are the routes that the application has when `own` is called.
    """

    services: OncePerLoop[Service]
    """Requests are carried where it runs."""
    is_ending: bool = False
    """Whether the server takes no more connections."""
    carries_websockets: bool = True
    """Whether a client that asks for a WebSocket can have one; if not, its request is one like any other."""

    def own(self, own_paths: Iterable[str]) -> None:
        """Let the routes that there are now be the pages at these paths, and no addition."""
        self.services = OncePerLoop(lambda: self.router.lifespan_context(self))
        self._own_paths = frozenset(own_paths)
        self._own_pages = APIRouter(routes=list(self.router.routes), redirect_slashes=False)
        self._added_routes, self.router.middleware_stack = self.router.middleware_stack, self._route
        self._own_routes, self._own_handlers = len(self.router.routes), len(self.exception_handlers)

    def begin_to_end(self) -> None:
        """Say of oneself that one is not ready: the server has begun to end."""
        self.is_ending = True

    def retry_after_seconds(self) -> int:
        """Give the seconds after which a client that was refused unheard should come back."""
        service = self.services.here()
        return service.monitor.retry_after_seconds() if service else 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if self.root_path:
            scope["root_path"] = self.root_path
        if scope["type"] == "http":
            if not self._has_additions() and not self._is_own(scope):
                await self._forward(scope, receive, send)
                return
            scope, send = relayed(scope, send)
        await super().__call__(scope, receive, send)

    def _has_additions(self) -> bool:
        """Return whether a user has added what has to run for each request; that may happen at any time."""
        return (
            bool(self.user_middleware)
            or len(self.router.routes) != self._own_routes
            or len(self.exception_handlers) != self._own_handlers
            or "build_middleware_stack" in self.__dict__  # replaced, as instrumentation does
            or bool(getattr(self.router, "_low_priority_routes", ()))  # those of `frontend`, where FastAPI has it
        )

    def _is_own(self, scope: Scope) -> bool:
        path, root_path = scope["path"], scope.get("root_path")
        return (path_below(path, root_path) if root_path else path).rstrip("/") in self._own_paths

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that has passed all middleware."""
        if scope["type"] == "lifespan":
            await self._added_routes(scope, receive, send)
            return
        await self.services.started()
        if scope["type"] == "http" and self._is_own(scope):
            await self._answer_own(scope, receive, send)
        elif (method := method_of_route(self._routes(), scope)) is not None:
            await self._added_routes({**scope, "method": method} if method else scope, receive, send)
        elif scope["type"] == "http":
            await self._forward(scope, receive, send)
        else:
            await receive()
            await decline_websocket(scope, send)

    def _routes(self) -> list[BaseRoute]:
        low = getattr(self.router, "_iter_low_priority_routes", tuple)  # those of `frontend` again
        return [*self.router.routes, *low()]

    async def _answer_own(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = connection_of(scope)
        if self.carries_websockets and connection is not None and connection.wants_websocket:
            await answer_problem(send, MalformedRequest("this path is the gateway's own; no WebSocket is there"))
            return
        # HEAD is asked as GET; the server, which knows better, leaves the body out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self._own_pages({**scope, "path": scope["path"].rstrip("/"), "method": method}, receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request as the target does."""
        service = self.services.here()
        if service is not None and is_direct(scope, send):
            await service.gateway(scope, receive, send)
            return
        service = service or await self.services.started()
        inner = scope_below(scope)
        messages = Messages(inner, send)
        if service is None:
            await answer_unavailable(inner, messages.send)
        else:
            await service.gateway(inner, receive, messages.send)
        await messages.complete()
