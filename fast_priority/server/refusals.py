"""Requests that the server refuses itself: what cannot be read, or comes too slowly.

Such a request has no cycle of uvicorn's yet, or one that cannot go on. So an error response gets a cycle of its own,
which takes its turn like any other request.
"""

import asyncio
import logging
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from fast_priority.errors import GatewayError, MalformedRequest, UnforeseenError
from fast_priority.http.cors import AllowedOrigins
from fast_priority.http.problem import answer_problem
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

_UNREAD = {"method": "GET", "path": "", "query_string": b"", "headers": []}  # of a request whose line has not been read
_logs: dict[str, OutageLog] = {}


def log_refusal(error: GatewayError) -> None:
    """Log a refusal; of many refusals of one kind, only some."""
    kind = _logs.setdefault(error.slug, OutageLog(f"answered {error.status} {error.slug}", logger))
    kind.failure(error.detail)


def refusal_of(error: httptools.HttpParserError) -> GatewayError:
    """Return the error that a client is sent for this one of the parser."""
    cause = error.__context__
    if isinstance(cause, GatewayError):
        return cause
    if cause is not None and not isinstance(cause, httptools.HttpParserError):
        logger.error("reading a request failed", exc_info=cause)
        return UnforeseenError()
    return MalformedRequest("it is not a request of HTTP/1.1")


class ErrorResponse:
    """An ASGI application that answers one request with an error."""

    def __init__(self, error: GatewayError, origins: AllowedOrigins) -> None:
        self._error = error
        self._origins = origins

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the response."""
        await answer_problem(send, self._error, self._origins.fields_for(scope["headers"]))


def cycle_for_refusal(protocol: HttpToolsProtocol) -> RequestResponseCycle:
    """Return a cycle for an error response, after which the connection is closed."""
    scope: Any = {**_UNREAD, **protocol.scope}
    return RequestResponseCycle(
        scope=scope,
        transport=protocol.transport,
        flow=protocol.flow,
        logger=protocol.logger,
        access_logger=protocol.access_logger,
        access_log=protocol.access_log,
        default_headers=protocol.server_state.default_headers,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=False,
        on_response=protocol.on_response_complete,
    )
