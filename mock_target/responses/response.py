"""The response to a client, and functions that make one. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from mock_target.responses.fields import Fields
from mock_target.responses.pacing import NO_CONTENT, Piece
from mock_target.settings import KnobError

# RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5: these responses have no content.
STATUSES_WITHOUT_BODY = frozenset({204, 205, 304})

PROBLEM_CONTENT_TYPE = "application/problem+json"

_PATTERN = bytes(range(256)) * 256


@dataclass(frozen=True, slots=True)
class MockResponse:
    """A status, fields and a body in pieces.

    `length_bytes` is the length of the body, for Content-Length; None: unknown before its end (chunked). The head is
    due `head_due_seconds` after the request's latency.
    """

    status: int
    fields: Fields = field(default_factory=list)
    pieces: Iterable[Piece] = (NO_CONTENT,)
    length_bytes: int | None = 0
    head_due_seconds: float = 0.0


def bytes_response(status: int, body: bytes, content_type: str, fields: Fields | None = None) -> MockResponse:
    """Return a response with a given body."""
    return MockResponse(
        status, [(b"content-type", content_type.encode()), *(fields or [])], (Piece(0.0, body),), len(body)
    )


def json_response(status: int, document: object, head_due_seconds: float = 0.0) -> MockResponse:
    """Return a response with a JSON document, which begins after `head_due_seconds`."""
    response = bytes_response(status, json.dumps(document).encode(), "application/json")
    return replace(response, head_due_seconds=head_due_seconds)


def pattern_response(status: int, size_bytes: int) -> MockResponse:
    """Return a response with a body of `size_bytes` bytes, where byte n is n modulo 256; generated while it is sent."""
    return MockResponse(
        status, [(b"content-type", b"application/octet-stream")], _pattern_pieces(size_bytes), size_bytes
    )


def _pattern_pieces(size_bytes: int) -> Iterator[Piece]:
    whole_pieces, rest = divmod(size_bytes, len(_PATTERN))
    for _ in range(whole_pieces):
        yield Piece(0.0, _PATTERN)
    if rest or not whole_pieces:
        yield Piece(0.0, _PATTERN[:rest])


def problem_response(status: int, detail: str, fields: Fields | None = None, **members: str) -> MockResponse:
    """Return a problem document (RFC 9457), with `members` as additional members."""
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return bytes_response(status, json.dumps(problem).encode(), PROBLEM_CONTENT_TYPE, fields)


def knob_error_response(error: KnobError, status: int = 400) -> MockResponse:
    """Return the problem document with the parameter, its value, and what to write instead."""
    return problem_response(status, str(error), parameter=error.parameter, value=error.value, hint=error.hint)
