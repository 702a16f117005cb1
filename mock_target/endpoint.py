"""The plain ASGI endpoint that answers every path but the mock's own pages.

It stands in front of FastAPI's router as a middleware, because the router's work on each request would cost more
than the whole answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from mock_target.answers import (
    PROBLEM_CONTENT_TYPE,
    Answer,
    Receive,
    Scope,
    Send,
    bytes_answer,
    problem_json,
    send_answer,
    sized_answer,
)
from mock_target.arrivals import ArrivalLog
from mock_target.echo import ReceivedBody, echo_request
from mock_target.latency import Latency
from mock_target.overrides import OverrideError, Overrides, read_overrides
from mock_target.special_pages import SPECIAL_PAGES

ADMIN_PREFIX = "/__admin/"
OWN_PATHS = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/health", "/health/"})


@dataclass
class MockState:
    """What changes while a mock runs: the default latency, the source of its draws, and the arrival log."""

    latency: Latency
    random: Random
    arrivals: ArrivalLog


class MockEndpoint:
    """Answers every HTTP request but those for the mock's own pages, which `app` answers, unlogged and at once."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], state: MockState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log the arrival, answer it, and log that it is finished, however it ends."""
        if scope["type"] != "http" or scope["path"] in OWN_PATHS or scope["path"].startswith(ADMIN_PREFIX):
            await self._app(scope, receive, send)
            return
        # A copy: the server appends a request's trailers to this same list while the body is read.
        fields = list(scope["headers"])
        arrival = self._state.arrivals.arrive(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            request_id=_request_id(fields),
        )
        try:
            answer = await self._answer(scope, fields, receive)
            if answer is not None:
                await send_answer(answer, scope["method"], send)
        finally:
            self._state.arrivals.finish(arrival)

    async def _answer(self, scope: Scope, fields: Sequence[tuple[bytes, bytes]], receive: Receive) -> Answer | None:
        """Wait out the latency and give the answer, or None when the client left before it was due."""
        try:
            overrides = read_overrides(scope["query_string"], fields)
        except OverrideError as error:
            problem = problem_json(400, error.parameter, error.value, error.mend)
            return bytes_answer(400, problem, PROBLEM_CONTENT_TYPE)
        # Drawn before anything is awaited, so that under a seed the n-th arrival has the n-th draw.
        latency_seconds = (overrides.latency or self._state.latency).draw(self._state.random)
        body = await _read_body(receive)
        if body is None or await _client_leaves_within(latency_seconds, receive):
            return None
        return _choose_answer(scope, fields, body, overrides)


def _choose_answer(
    scope: Scope, fields: Sequence[tuple[bytes, bytes]], body: ReceivedBody, overrides: Overrides
) -> Answer:
    if overrides.size_bytes is not None:
        return sized_answer(overrides.status or 200, overrides.size_bytes)
    special_page = SPECIAL_PAGES.get(scope["raw_path"])
    if special_page is not None:
        return replace(special_page, status=overrides.status or special_page.status)
    echo = echo_request(scope["method"], scope["raw_path"], scope["query_string"], fields, body)
    return bytes_answer(overrides.status or 200, echo, "application/json")


def _request_id(fields: Sequence[tuple[bytes, bytes]]) -> str | None:
    for name, value in fields:
        if name == b"x-request-id":
            return value.decode("latin-1")
    return None


async def _read_body(receive: Receive) -> ReceivedBody | None:
    """Read the whole request body; None when the client left before its end."""
    body = ReceivedBody()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body.add(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def _client_leaves_within(seconds: float, receive: Receive) -> bool:
    """Wait so many seconds, or until the client disconnects; say whether it did."""
    if seconds == 0:
        return False
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
