"""The gateway's own pages: their routes, and which requests they answer.

A new page is a route here. Its path needs no second place: a path of one of these routes is the gateway's own, so
requests for it are answered and not forwarded. `health` has what the health pages return.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from fast_priority.errors import ConfigurationError, GatewayNotReady
from fast_priority.gateway.health import Health, HealthChecks, Liveness, Readiness
from fast_priority.gateway.operator_access import check_operator
from fast_priority.http.root_path import path_below
from fast_priority.settings import GATEWAY_METRICS_PATH, GATEWAY_OPENAPI_PATH, Settings

MetricsPage: TypeAlias = Callable[[str], tuple[bytes, str]]
"""Takes the client's Accept; returns the page and its Content-Type."""

_METHODS = ("GET", "HEAD", "OPTIONS")
_DESCRIPTION = """
A priority-queuing gateway. These are its own endpoints; **every other path belongs to the API behind it**,
whose documentation is at [/docs]({docs}) and [/redoc]({redoc}).
"""


def documentation_options(settings: Settings) -> dict[str, Any]:
    """Return the arguments with which FastAPI makes the pages of the gateway's own documentation."""
    # The links are relative, so they stay below a prefix.
    above = "../" * (settings.doc_path.count("/") - 1)
    return {
        "title": "Fast Priority gateway",
        "description": _DESCRIPTION.format(docs=f"{above}docs", redoc=f"{above}redoc"),
        "docs_url": settings.doc_path,
        # FastAPI's default is a path of the target: /docs/oauth2-redirect.
        "swagger_ui_oauth2_redirect_url": f"{settings.doc_path}/oauth2-redirect",
        "redoc_url": settings.redoc_path,
        "openapi_url": GATEWAY_OPENAPI_PATH,
    }


def add_pages(app: FastAPI, path: str, checks: Callable[[], HealthChecks], is_ending: Callable[[], bool]) -> None:
    """Add all own pages that FastAPI does not make: health at and below this path."""

    @app.get(path, summary="What is reachable, how many requests wait, and how many workers there are")
    async def health() -> Health:
        return await checks().health()

    @app.get(f"{path}/live", summary="Whether this process runs; restart it if it does not answer")
    async def live() -> Liveness:
        return Liveness(status="alive")

    @app.get(
        f"{path}/ready",
        summary="Whether requests are forwarded; send none here if not",
        responses={503: {"model": Readiness, "description": "Not ready, and why"}},
    )
    async def ready(response: Response) -> Readiness:
        readiness = await checks().readiness(is_ending=is_ending())
        response.status_code = 200 if readiness.ready else 503
        return readiness


def add_metrics_page(app: FastAPI, page: Callable[[], MetricsPage | None], operator_token: str | None) -> None:
    """Add the page of the metrics, which is for operators. `page` returns what makes it."""

    @app.get(GATEWAY_METRICS_PATH, summary="Metrics for Prometheus; for operators", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        check_operator(request.scope, operator_token)
        make = page()
        if make is None:
            raise GatewayNotReady("it has no metrics")
        body, content_type = make(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})


class OwnPages:
    """The pages of these routes. Raises ConfigurationError if two of them have the same path."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._router = APIRouter(routes=list(routes), redirect_slashes=False)
        paths = [route.path for route in self._router.routes if isinstance(route, Route)]
        self._paths = frozenset(paths)
        if len(self._paths) != len(paths):
            raise ConfigurationError(f"two of the gateway's own pages have the same path: {', '.join(sorted(paths))}")

    def has(self, scope: Scope) -> bool:
        """Return whether a request is for one of the pages; slashes at the end of its path do not count."""
        path, root_path = scope["path"], scope.get("root_path")
        return (path_below(path, root_path) if root_path else path).rstrip("/") in self._paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for one of the pages. Raises HTTPException for a method that none of them knows."""
        if scope["method"] not in _METHODS:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(_METHODS)})

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"allow", ", ".join(_METHODS).encode())]}
            await send(message)

        # HEAD and OPTIONS are answered as GET: the server leaves the body of HEAD out, and load balancers check the
        # status of OPTIONS.
        as_get = {**scope, "path": scope["path"].rstrip("/"), "method": "GET"}
        await self._router(as_get, receive, send_allowed if scope["method"] == "OPTIONS" else send)
