"""Puts the mock target together.

Any method on any path is echoed as JSON (see `mock_target.echo`), after the default latency or as the request itself
asks (see `mock_target.overrides`), but for these:

    /mock/...                           answers that are hard on a gateway (see `mock_target.special_pages`)
    /health, /health/                   {"status": "ok"}
    /__admin/arrivals                   GET the arrival log, DELETE to reset it
    /__admin/latency                    GET or PUT the default latency
    /docs, /redoc, /openapi.json        FastAPI's documentation of the mock

All but /mock/... are the mock's own pages: they answer at once and are not in the arrival log.
"""

from random import Random

from fastapi import FastAPI

from mock_target.admin import make_admin_router
from mock_target.arrivals import ArrivalLog
from mock_target.endpoint import MockEndpoint, MockState
from mock_target.latency import parse_latency
from mock_target.settings import MockSettings


def create_app(settings: MockSettings | None = None) -> FastAPI:
    """Make a mock target with its own arrival log; None means the default settings.

    Raises ValueError for a log size below 1.
    """
    settings = settings or MockSettings()
    state = MockState(
        latency=parse_latency(settings.latency),
        random=Random(settings.seed),  # noqa: S311 - a latency is no secret, and has to repeat under a seed
        arrivals=ArrivalLog(settings.log_size),
    )
    app = FastAPI(title="Mock target", description=__doc__, redirect_slashes=False)
    app.include_router(make_admin_router(state))
    app.add_middleware(MockEndpoint, state=state)
    return app
