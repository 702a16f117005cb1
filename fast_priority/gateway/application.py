"""The gateway as a FastAPI application: it chooses an own page, what users add, or the target."""

from typing import NamedTuple

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from fast_priority.broker.monitor import QueueMonitor
from fast_priority.errors import GatewayNotReady, MalformedRequest
from fast_priority.events import Events, Received, publish, publish_error
from fast_priority.gateway.embedding import Messages, is_direct, method_of_route, relayed, scope_below
from fast_priority.gateway.handler import Gateway
from fast_priority.gateway.health import HealthChecks
from fast_priority.gateway.pages import MetricsPage, OwnPages, add_metrics_page, add_pages
from fast_priority.gateway.policy_in_force import PolicyInForce
from fast_priority.gateway.quick_request import RunInTask
from fast_priority.gateway.response import ClientResponse
from fast_priority.gateway.startup import OncePerLoop
from fast_priority.gateway.websockets import decline_websocket
from fast_priority.http.cors import NO_ORIGINS, AllowedOrigins
from fast_priority.http.problem import answer_problem
from fast_priority.http.request_id import request_id_of
from fast_priority.server import connection_of
from fast_priority.support.loop_lag import LoopLag


class Service(NamedTuple):
    """The gateway that runs on one event loop, and what it needs."""

    gateway: Gateway
    monitor: QueueMonitor
    checks: HealthChecks
    lag: LoopLag


class GatewayApp(FastAPI):
    """A FastAPI application that answers its own pages and the routes that users add, and forwards all other requests.

    Users may add middleware, routes and handlers as to any FastAPI application. If there are none, requests for the
    target bypass FastAPI.
    """

    services: OncePerLoop[Service]
    """Requests are forwarded on the event loops that have one."""
    events: Events
    """What happens to requests: subscribe here."""
    origins: AllowedOrigins = NO_ORIGINS
    """The origins whose pages may read the gateway's own errors."""
    is_ending: bool = False
    """Whether the server ends: it accepts no more connections, or soon will not."""
    policy: PolicyInForce | None = None
    """The rules and keys in force; None if there are none."""
    carries_websockets: bool = True
    """Whether a client can have a WebSocket; if not, its request is forwarded as a plain GET."""

    metrics: MetricsPage | None = None
    """Makes the page of the metrics; None: there is none."""

    def add_own_pages(self, health_path: str, operator_token: str | None = None) -> None:
        """Add the own pages. All present routes are then the gateway's own pages; later routes are additions.

        The token is for the pages that only operators may read; None: only from this machine.

        Raises ConfigurationError if two pages have the same path.
        """
        self.services = OncePerLoop(lambda: self.router.lifespan_context(self))
        add_pages(self, health_path, self._checks, lambda: self.is_ending)
        add_metrics_page(self, lambda: self.metrics, operator_token)
        self._own_pages = OwnPages(self.router.routes)
        self._added_routes, self.router.middleware_stack = self.router.middleware_stack, self._route
        self._own_routes, self._own_handlers = len(self.router.routes), dict(self.exception_handlers)

    def begin_to_end(self) -> None:
        """Note that the server has begun to end: the gateway is not ready any more."""
        self.is_ending = True

    def retry_after_seconds(self) -> int:
        """Return the seconds after which a client whose connection was refused should come back."""
        service = self.services.here()
        return service.monitor.retry_after_seconds() if service else 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if self.root_path:
            scope["root_path"] = self.root_path
        if scope["type"] == "http":
            if not self._has_additions() and not self._own_pages.has(scope):
                await self._forward(scope, receive, send)
                return
            scope, send = relayed(scope, send)
        await super().__call__(scope, receive, send)

    def begin_now(self, scope: Scope, run_in_task: RunInTask) -> bool:
        """Begin to answer a request of our own server without a task. Return False if it needs one.

        `run_in_task` is called with an application if the request needs a task later.
        """
        is_extended = type(self).__call__ is not GatewayApp.__call__ or self.root_path or scope.get("root_path")
        if is_extended or self._has_additions() or self._own_pages.has(scope):
            return False
        service = self.services.here()
        return service is not None and service.gateway.begin_now(scope, run_in_task)

    def _has_additions(self) -> bool:
        """Return whether a user has added anything that must run for each request; this may change at any time."""
        return (
            bool(self.user_middleware)
            or len(self.router.routes) != self._own_routes
            or self.exception_handlers != self._own_handlers
            or "build_middleware_stack" in self.__dict__  # replaced, as instrumentation does
            or bool(getattr(self.router, "_low_priority_routes", ()))  # those of `frontend`, where FastAPI has it
        )

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that has passed all middleware."""
        if scope["type"] == "lifespan":
            await self._added_routes(scope, receive, send)
            return
        await self.services.started()
        if scope["type"] == "http" and self._own_pages.has(scope):
            await self._answer_own(scope, receive, send)
        elif (method := method_of_route(self._routes(), scope)) is not None:
            await self._added_routes({**scope, "method": method} if method else scope, receive, send)
        elif scope["type"] == "http":
            await self._forward(scope, receive, send)
        else:
            await receive()
            await decline_websocket(scope, send, self.origins)

    def _routes(self) -> list[BaseRoute]:
        low = getattr(self.router, "_iter_low_priority_routes", tuple)  # those of `frontend` again
        return [*self.router.routes, *low()]

    async def _answer_own(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = connection_of(scope)
        if self.carries_websockets and connection is not None and connection.wants_websocket:
            error = MalformedRequest("this path is the gateway's own and has no WebSocket")
            fields = scope["headers"]
            await answer_problem(send, error, self.origins.fields_for(fields), request_id_of(fields))
            return
        await self._own_pages(scope, receive, send)

    def _checks(self) -> HealthChecks:
        if (service := self.services.here()) is None:
            raise GatewayNotReady("it is not connected to its queues")
        return service.checks

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the target's response."""
        service = self.services.here()
        if service is not None and is_direct(scope, send):
            await service.gateway(scope, receive, send)
            return
        service = service or await self.services.started()
        inner = scope_below(scope)
        messages = Messages(inner, send)
        if service is None:
            await self._answer_unavailable(inner, messages.send)
        else:
            await service.gateway(inner, receive, messages.send)
        await messages.complete()

    async def _answer_unavailable(self, scope: Scope, send: Send) -> None:
        """Answer a request while the gateway is not, or no longer, connected to its queues."""
        response = ClientResponse(scope, send)
        if self.events.received:
            publish(self.events.received, Received(scope, response.record))
        error = GatewayNotReady("it is not connected to its queues")
        publish_error(self.events, scope, error, response.record)
        await response.send_error(error, self.origins.fields_for(scope["headers"]))
