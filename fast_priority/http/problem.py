"""The gateway's own errors as responses: `application/problem+json` (RFC 9457) with `Proxy-Status` (RFC 9209)."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal, TypeAlias

from fast_priority.errors import GatewayError
from fast_priority.http.date import http_date
from fast_priority.http.head import response_head
from fast_priority.http.message import Fields, Reply
from fast_priority.http.request_id import REQUEST_ID, new_request_id

ErrorForm: TypeAlias = Literal["problem", "openai"]
"""How a response states an error: as problem+json, or with the member `error` of OpenAI's API as well."""

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def problem_reply(
    error: GatewayError,
    more_fields: Fields | None = None,
    request_id: str | None = None,
    form: ErrorForm = "problem",
) -> Reply:
    """Return the response for an error, with its Content-Length, and with `Connection: close` if the error needs it.

    `more_fields` are those of `cors`. None as `request_id`: the request gets a new one.
    """
    request_id = request_id or new_request_id()
    problem: dict[str, Any] = {
        "type": f"urn:fast-priority:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "fault": error.fault,
        "request_id": request_id,
    }
    if form == "openai":
        problem["error"] = {"message": error.detail or error.title, "type": _openai_type(error), "code": error.slug}
    body = json.dumps(problem).encode()
    fields: Fields = [
        (b"content-type", b"application/problem+json"),
        (b"date", http_date()),
        (b"proxy-status", _proxy_status(error)),
    ]
    if error.retry_after_seconds is not None:
        fields.append((b"retry-after", b"%d" % error.retry_after_seconds))
    if error.challenge is not None:
        fields.append((b"www-authenticate", error.challenge.encode("latin-1")))
    fields += more_fields or []
    if error.closes_connection:
        fields.append((b"connection", b"close"))
    fields += [(b"content-length", b"%d" % len(body)), (REQUEST_ID, request_id.encode())]
    return Reply(error.status, fields, body)


def _openai_type(error: GatewayError) -> str:
    other = "invalid_request_error" if error.status < 500 else "server_error"
    return _OPENAI_TYPES.get(error.status, other)


def closing_problem(error: GatewayError, more_fields: Fields | None = None) -> bytes:
    """Return the bytes of a problem response after which the connection is closed."""
    reply = problem_reply(error, more_fields)
    fields = [field for field in reply.fields if field[0] != b"connection"]
    return response_head(reply.status, [(b"connection", b"close"), *fields]) + reply.body


async def answer_problem(
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    error: GatewayError,
    more_fields: Fields | None = None,
    request_id: str | None = None,
) -> None:
    """Send the response for an error to an ASGI request."""
    reply = problem_reply(error, more_fields, request_id)
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.fields})
    await send({"type": "http.response.body", "body": reply.body})


def _proxy_status(error: GatewayError) -> bytes:
    """Return the field of RFC 9209: who reports it, the error token, and the detail as a string of printable ASCII."""
    words = error.detail.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    words = "".join(character if character.isprintable() else " " for character in words)
    return f'fast-priority; error={error.proxy_error}; details="{words}"'.encode()
