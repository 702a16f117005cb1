"""Puts the mock target together.

Any method on any path is echoed as JSON (see `mock_target.echo`), as the settings, the first route that applies and the
request itself want it (see `mock_target.knobs`), but for these:

    /                                   a page to look at, for a browser only
    /mock/...                           special pages, SSE and a WebSocket (`special_pages`, `server_sent_events`,
                                        `websocket`)
    /health, /health/                   {"status": "ok"}
    /__admin/settings                   GET, PATCH, PUT, DELETE: what the mock does
    /__admin/latency                    GET, PUT: its default latency
    /__admin/knobs                      GET: all that can be set
    /__admin/arrivals                   GET, DELETE: what arrived
    /__admin/arrivals.ndjson            GET: the same, one arrival a line, also live
    /__admin/reset                      POST: all as at the start
    /docs, /redoc, /openapi.json        FastAPI's documentation of the mock

All but /mock/... are the mock's own pages: they answer at once and are not in the arrival log.
"""

from fastapi import FastAPI

from mock_target.admin import make_arrivals_router, make_page_router, make_settings_router, tell_problems
from mock_target.handler import MockEndpoint
from mock_target.settings import MockSettings
from mock_target.state import MockState


def create_app(started_with: MockSettings | None = None) -> MockEndpoint:
    """Make a mock target, an ASGI application with its own state; None means the default settings.

    Raises ValueError for a log size below 1.
    """
    state = MockState(started_with or MockSettings())
    own_pages = FastAPI(title="Mock target", description=__doc__, redirect_slashes=False)
    own_pages.include_router(make_page_router())
    own_pages.include_router(make_settings_router(state))
    own_pages.include_router(make_arrivals_router(state))
    tell_problems(own_pages)
    return MockEndpoint(own_pages, state)
