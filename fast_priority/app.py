"""Builds the gateway as a FastAPI application.

    fastapi run fast_priority/app.py --host 0.0.0.0 --port 8001

builds `app` from the environment. Other programs call `create_app` with settings of their own.
"""

import logging
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request, Response

from fast_priority.broker.monitor import QueueMonitor
from fast_priority.broker.producer import Submitter
from fast_priority.errors import ConfigurationError, GatewayError, GatewayNotReady
from fast_priority.events import Events
from fast_priority.gateway import (
    Gateway,
    GatewayApp,
    Health,
    HealthChecks,
    Liveness,
    Readiness,
    Service,
    WebSocketProxy,
)
from fast_priority.http.message import TargetPolicy
from fast_priority.http.problem import problem_reply
from fast_priority.observability import RequestLog
from fast_priority.settings import GATEWAY_OPENAPI_PATH, Settings, warnings_about_environment
from fast_priority.support.installed_versions import check_installed_versions
from fast_priority.target import Target

logger = logging.getLogger(__name__)

_DESCRIPTION = """
A priority-queuing gateway. These are its own endpoints; **every other path belongs to the API behind it**,
whose documentation is at [/docs]({docs}) and [/redoc]({redoc}).
"""


def create_app(settings: Settings) -> GatewayApp:
    """Build the gateway. Raises ConfigurationError without a target.

    It connects to Redis and to the target after its lifespan has started, or with the first request where no lifespan
    runs. It starts even if neither is reachable.
    """
    policy = settings.target_policy()

    @asynccontextmanager
    async def lifespan(app: GatewayApp) -> AsyncIterator[None]:
        logger.info("gateway for %s, with the queues of Redis at %s", policy.base_url, settings.redis_address)
        async with _service(settings, policy, app.events) as service:
            with app.services.holding(service):
                yield

    app = GatewayApp(
        title="Fast Priority gateway",
        description=_description(settings.doc_path),
        docs_url=settings.doc_path,
        redoc_url=settings.redoc_path,
        openapi_url=GATEWAY_OPENAPI_PATH,
        lifespan=lifespan,
        redirect_slashes=False,
        exception_handlers={GatewayError: _answer_error},
    )
    _add_health_endpoints(app, settings.health_path)
    app.events = Events()
    RequestLog().listen(app.events)
    app.carries_websockets = settings.websockets
    app.own({*settings.own_paths, f"{settings.doc_path}/oauth2-redirect"})
    return app


@asynccontextmanager
async def _service(settings: Settings, policy: TargetPolicy, events: Events) -> AsyncIterator[Service]:
    # Where no lifespan runs, a cancellation ends it all.
    async with (
        Target(policy) as target,
        Submitter(settings) as submitter,
        QueueMonitor(settings) as monitor,
    ):
        gateway = Gateway(
            settings.rules,
            settings.proxies,
            submitter,
            target,
            settings.frames_in_flight,
            monitor.retry_after_seconds,
            settings.client_timeout,
            submitter.deployment,
            WebSocketProxy(target, settings.max_tunnels, settings.client_timeout) if settings.websockets else None,
            events,
        )
        yield Service(gateway, monitor, HealthChecks(policy.base_url, monitor))


def _description(doc_path: str) -> str:
    """Return the text of the documentation page. Its links are relative, so they stay below a prefix."""
    above = "../" * (doc_path.count("/") - 1)
    return _DESCRIPTION.format(docs=f"{above}docs", redoc=f"{above}redoc")


async def _answer_error(request: Request, error: Exception) -> Response:
    reply = problem_reply(error if isinstance(error, GatewayError) else GatewayError())
    return Response(reply.body, reply.status, {name.decode(): value.decode() for name, value in reply.fields})


def _add_health_endpoints(app: GatewayApp, path: str) -> None:
    @app.get(path, summary="What is reachable, how many requests wait, and how many workers there are")
    async def health() -> Health:
        return await _checks(app).health()

    @app.get(f"{path}/live", summary="Whether this process runs; restart it if it does not answer")
    async def live() -> Liveness:
        return Liveness(status="alive")

    @app.get(
        f"{path}/ready",
        summary="Whether requests are forwarded; send none here if not",
        responses={503: {"model": Readiness, "description": "Not ready, and why"}},
    )
    async def ready(response: Response) -> Readiness:
        readiness = await _checks(app).readiness(is_ending=app.is_ending)
        response.status_code = 200 if readiness.ready else 503
        return readiness


def _checks(app: GatewayApp) -> HealthChecks:
    if (service := app.services.here()) is None:
        raise GatewayNotReady("it is not connected to its queues")
    return service.checks


def _from_environment() -> GatewayApp:
    for warning in warnings_about_environment():
        warnings.warn(warning, stacklevel=1)
    try:
        check_installed_versions()
        return create_app(Settings.load())
    except ConfigurationError as error:
        # `fastapi run` and uvicorn import this module to find `app`; a traceback would hide the one line that helps.
        sys.exit(f"error: {error}")


def __getattr__(name: str) -> Any:
    if name == "app":
        globals()["app"] = built = _from_environment()
        return built
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "app"]  # `fastapi run` looks here before it gets the name
