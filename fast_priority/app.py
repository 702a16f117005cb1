"""The gateway as a FastAPI application.

FastAPI serves the gateway's own endpoints; everything else goes straight to the Gateway, past FastAPI's machinery.

    fastapi run fast_priority/app.py --host 0.0.0.0 --port 8001

builds `app` from the environment. Everybody else calls `create_app` with settings of their own.
"""

import logging
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from starlette.types import Receive, Scope, Send

from fast_priority.broker.forecasting import Forecast
from fast_priority.broker.observing import Observer
from fast_priority.broker.submitting import Submitter
from fast_priority.client_connection import connection_of
from fast_priority.errors import ConfigurationError, MalformedRequest
from fast_priority.gateway import Gateway, answer_unavailable
from fast_priority.health import Health, HealthChecks, Liveness, Readiness
from fast_priority.problem import answer_problem
from fast_priority.provenance import warnings_about_environment
from fast_priority.settings import GATEWAY_OPENAPI_PATH, Settings
from fast_priority.target import Target
from fast_priority.tunnel import Tunnels, decline_websocket

logger = logging.getLogger(__name__)

_DESCRIPTION = """
A priority-queuing gateway. These are its own endpoints; **every other path belongs to the API behind it**,
whose documentation is at [/docs](/docs) and [/redoc](/redoc).
"""


class GatewayApp(FastAPI):
    """A FastAPI application whose own routes are the gateway's; all other requests are the target's."""

    gateway: Gateway | None = None
    """There while the application's lifespan runs."""
    forecast: Forecast | None = None
    """There while it runs, too."""
    is_ending: bool = False
    """Whether the server takes no more connections."""
    own_paths: frozenset[str] = frozenset()
    carries_websockets: bool = True

    def begin_to_end(self) -> None:
        """Say of oneself that one is not ready: the server has begun to end."""
        self.is_ending = True

    def retry_after_seconds(self) -> int:
        """Give the seconds after which a client that was refused unheard should come back."""
        return self.forecast.retry_after_seconds() if self.forecast else 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        connection = connection_of(scope)
        wants_websocket = self.carries_websockets and connection is not None and connection.wants_websocket
        if scope["type"] == "websocket":
            await receive()
            await decline_websocket(scope, send)
        elif scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif (own_path := scope["path"].rstrip("/")) in self.own_paths:
            if wants_websocket:
                await answer_problem(send, MalformedRequest("this path is the gateway's own; no WebSocket is there"))
                return
            # HEAD is asked as GET; the server, which knows better, leaves the body out.
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            await super().__call__({**scope, "path": own_path, "method": method}, receive, send)
        elif self.gateway is None:
            await answer_unavailable(scope, send)
        else:
            await self.gateway(scope, receive, send)


def create_app(settings: Settings) -> GatewayApp:
    """Build the gateway. Raises ConfigurationError without a target.

    It connects to Redis and to the target when its lifespan starts, and needs neither to be there.
    """
    policy = settings.target_policy()

    @asynccontextmanager
    async def lifespan(app: GatewayApp) -> AsyncIterator[None]:
        observer = Observer(settings)
        app.state.checks = HealthChecks(policy.base_url, observer)
        logger.info("in front of %s, on the queues of Redis at %s", policy.base_url, settings.redis_address)
        async with Target(policy) as target, Submitter(settings) as submitter, Forecast(settings) as forecast:
            app.gateway = Gateway(
                settings.rules,
                settings.proxies,
                submitter,
                target,
                settings.frames_in_flight,
                forecast.retry_after_seconds,
                settings.client_timeout,
                submitter.deployment,
                Tunnels(policy, settings.max_tunnels, settings.client_timeout) if settings.websockets else None,
            )
            app.forecast = forecast
            yield
            app.gateway = app.forecast = None
        await observer.close()

    app = GatewayApp(
        title="Fast Priority gateway",
        description=_DESCRIPTION,
        docs_url=settings.doc_path,
        redoc_url=settings.redoc_path,
        openapi_url=GATEWAY_OPENAPI_PATH,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    _add_health_endpoints(app, settings.health_path)
    app.carries_websockets = settings.websockets
    app.own_paths = frozenset({*settings.own_paths, f"{settings.doc_path}/oauth2-redirect"})
    return app


def _add_health_endpoints(app: GatewayApp, path: str) -> None:
    @app.get(path, summary="What is reachable, what waits, who works")
    async def health() -> Health:
        return await _checks(app).health()

    @app.get(f"{path}/live", summary="Whether this process runs; restart it if not")
    async def live() -> Liveness:
        return Liveness(status="alive")

    @app.get(
        f"{path}/ready",
        summary="Whether requests are carried; send none here if not",
        responses={503: {"model": Readiness, "description": "Not ready, and why"}},
    )
    async def ready(response: Response) -> Readiness:
        readiness = await _checks(app).readiness(is_ending=app.is_ending)
        response.status_code = 200 if readiness.ready else 503
        return readiness


def _checks(app: FastAPI) -> HealthChecks:
    checks: HealthChecks = app.state.checks
    return checks


def _from_environment() -> GatewayApp:
    for warning in warnings_about_environment():
        warnings.warn(warning, stacklevel=1)
    try:
        return create_app(Settings.load())
    except ConfigurationError as error:
        # `fastapi run` and uvicorn import this module to find `app`; a traceback would bury the one line that helps.
        sys.exit(f"error: {error}")


def __getattr__(name: str) -> Any:
    if name == "app":
        globals()["app"] = built = _from_environment()
        return built
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "app"]  # `fastapi run` looks for a name before it asks for it
