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
from fast_priority.errors import ConfigurationError, GatewayError
from fast_priority.events import Events
from fast_priority.gateway import Gateway, GatewayApp, HealthChecks, Service, WebSocketProxy, documentation_options
from fast_priority.http.message import TargetPolicy
from fast_priority.http.problem import problem_reply
from fast_priority.observability import RequestLog
from fast_priority.settings import Settings, warnings_about_environment
from fast_priority.support.installed_versions import check_installed_versions
from fast_priority.target import Target

logger = logging.getLogger(__name__)


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
        **documentation_options(settings),
        lifespan=lifespan,
        redirect_slashes=False,
        exception_handlers={GatewayError: _answer_error},
    )
    app.events = Events()
    RequestLog().listen(app.events)
    app.carries_websockets = settings.websockets
    app.add_own_pages(settings.health_path)
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


async def _answer_error(request: Request, error: Exception) -> Response:
    reply = problem_reply(error if isinstance(error, GatewayError) else GatewayError())
    return Response(reply.body, reply.status, {name.decode(): value.decode() for name, value in reply.fields})


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
