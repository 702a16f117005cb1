"""Builds the gateway as a FastAPI application.

    fastapi run fast_priority/app.py --host 0.0.0.0 --port 8001

builds `app` from the environment. Other programs call `create_app` with settings of their own.
"""

import sys
import warnings
from typing import TYPE_CHECKING, Any

from fast_priority.errors import ConfigurationError
from fast_priority.support.installed_versions import check_installed_versions

if TYPE_CHECKING:
    from fast_priority.gateway import GatewayApp
    from fast_priority.settings import Settings


def create_app(settings: "Settings") -> "GatewayApp":
    """Build the gateway. Raises ConfigurationError without a target, and if another package has a wrong version.

    It connects to Redis and to the target after its lifespan has started, or with the first request where no lifespan
    runs. It starts even if neither is reachable.
    """
    # Other versions may fail already when they are imported, and with an error that helps nobody.
    check_installed_versions()
    from fast_priority.gateway import build_app
    from fast_priority.observability import AccessLog, GatewayState, Metrics, RequestLog

    app = build_app(settings)
    RequestLog().listen(app.events)
    if settings.access_log_seconds is not None:
        AccessLog.on_stdout(settings.access_log_seconds).listen(app.events)

    def state_now() -> GatewayState | None:
        service = app.services.here()
        return None if service is None else GatewayState(service.monitor.last_view, service.lag.worst_seconds)

    metrics = Metrics(settings, state_now)
    metrics.listen(app.events)
    app.metrics = metrics.page
    return app


def _from_environment() -> "GatewayApp":
    try:
        check_installed_versions()
        from fast_priority.observability import hide_queries
        from fast_priority.settings import Settings, warnings_about_environment

        hide_queries()
        for warning in warnings_about_environment():
            warnings.warn(warning, stacklevel=1)
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
