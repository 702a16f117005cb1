"""The mock target as an ASGI application.

Any method on any path is echoed as JSON (see `responses/echo.py`). The settings, the first route that applies and the
request itself decide how (see `settings/knob_table.py`). The exceptions:

    /                                   a web page, for browsers only
    /mock/...                           special pages, SSE and a WebSocket (`responses/special_pages.py`,
                                        `responses/server_sent_events.py`, `handler/websocket.py`)
    /v1/..., /api/...                   the APIs of model servers (`model_server/pages.py`)
    /health, /health/                   {"status": "ok"}
    /__admin/settings                   GET, PATCH, PUT, DELETE: the settings
    /__admin/latency                    GET, PUT: the default latency
    /__admin/knobs                      GET: everything that can be set
    /__admin/arrivals                   GET, DELETE: the arrival log
    /__admin/arrivals.ndjson            GET: the same, one arrival a line, also live
    /__admin/reset                      POST: the initial state
    /docs, /redoc, /openapi.json        FastAPI's documentation of the mock

All of these except /mock/..., /v1/... and /api/... are the mock's own pages: they respond at once and are not in the
arrival log.
"""

from fastapi import FastAPI

from mock_target.admin import add_problem_handlers, make_arrivals_router, make_page_router, make_settings_router
from mock_target.handler import MockEndpoint
from mock_target.settings import MockSettings
from mock_target.state import MockState


def create_app(started_with: MockSettings | None = None) -> MockEndpoint:
    """Return a mock target, an ASGI application with its own state; None means the default settings.

    Raises ValueError for a log size below 1.
    """
    state = MockState(started_with or MockSettings())
    own_pages = FastAPI(title="Mock target", description=__doc__, redirect_slashes=False)
    own_pages.include_router(make_page_router())
    own_pages.include_router(make_settings_router(state))
    own_pages.include_router(make_arrivals_router(state))
    add_problem_handlers(own_pages)
    return MockEndpoint(own_pages, state)
