"""Errors of a model server, in the shape that clients of its API show. Pure."""

import json
from enum import StrEnum

from mock_target.responses import Fields, MockResponse, bytes_response

_TYPES = {429: "rate_limit_error", 503: "unavailable_error"}


class Api(StrEnum):
    """The API whose shape an answer has."""

    OPENAI = "openai"
    OLLAMA = "ollama"


def error_response(api: Api, status: int, message: str, fields: Fields, parameter: str | None = None) -> MockResponse:
    """Return an error with a message; OpenAI's names the `parameter` of the request that is wrong (None: none is)."""
    if api is Api.OLLAMA:
        error: object = message
    else:
        kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
        error = {"message": message, "type": kind, "param": parameter, "code": None}
    return bytes_response(status, json.dumps({"error": error}).encode(), "application/json", fields)
