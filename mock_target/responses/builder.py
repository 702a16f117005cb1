"""Builds the response to a request, in timed pieces. Pure."""

import gzip
from dataclasses import replace

from mock_target.responses.echo import echo_request
from mock_target.responses.fields import Fields
from mock_target.responses.pacing import NO_CONTENT, Piece, delay_end, pace
from mock_target.responses.received_request import ReceivedRequest
from mock_target.responses.response import STATUSES_WITHOUT_BODY, MockResponse, bytes_response, pattern_response
from mock_target.responses.server_sent_events import SSE_PATH, sse_response
from mock_target.responses.special_pages import SPECIAL_PAGES
from mock_target.settings import Behaviour

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


def build_response(
    request: ReceivedRequest, behaviour: Behaviour, status: int | None, content: MockResponse | None = None
) -> MockResponse:
    """Return the complete response, with `status` (None: its own) and `content` in place of the echo (None: the echo).

    Raises KnobError for a bad SSE query.
    """
    response = _build_content(request, behaviour, content)
    fields = response.fields
    if behaviour.redirect is not None:
        fields = [*_without(fields, b"location"), (b"location", behaviour.redirect.encode())]
    if behaviour.content_type is not None:
        fields = [*_without(fields, b"content-type"), (b"content-type", behaviour.content_type.encode())]
    if behaviour.fields is not None:
        fields = [*fields, *((name.encode(), value.encode()) for name, value in behaviour.fields)]
    if status is None and fields is response.fields:
        return response
    return replace(response, status=status or response.status, fields=fields)


def _build_content(request: ReceivedRequest, behaviour: Behaviour, content: MockResponse | None) -> MockResponse:
    if behaviour.size is not None:
        return pattern_response(200, behaviour.size)
    if behaviour.body is not None:
        return bytes_response(200, behaviour.body.encode(), _TEXT)
    if behaviour.redirect is not None:
        return bytes_response(302, b"", _TEXT)
    if content is not None:
        return content
    if request.raw_path == SSE_PATH:
        return sse_response(request.query)
    return SPECIAL_PAGES.get(request.raw_path) or bytes_response(200, echo_request(request), _JSON)


def _without(fields: Fields, name: bytes) -> Fields:
    return [field for field in fields if field[0] != name]


def compress_body(response: MockResponse) -> MockResponse:
    """Return the response with a compressed body, unless its length is unknown or it is encoded. Slow if large."""
    if response.length_bytes is None or any(name == b"content-encoding" for name, _ in response.fields):
        return response
    packed = gzip.compress(b"".join(piece.content for piece in response.pieces), mtime=0)
    fields = [*response.fields, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    return replace(response, fields=fields, pieces=(Piece(0.0, packed),), length_bytes=len(packed))


def apply_body_rules(response: MockResponse, method: str, behaviour: Behaviour) -> MockResponse:
    """Return the response, paced; without a body where HTTP has none (to HEAD, with 204, 205 and 304)."""
    if response.status in STATUSES_WITHOUT_BODY:
        return replace(response, pieces=(NO_CONTENT,), length_bytes=None)
    if method == "HEAD":
        return replace(response, pieces=(NO_CONTENT,))
    if response.length_bytes is None or (behaviour.dribble is None and behaviour.bandwidth is None):
        return response
    return replace(response, pieces=pace(response.pieces, response.length_bytes, behaviour))


def delay_close(response: MockResponse, seconds: float) -> MockResponse:
    """Return the response with Connection: close and with its end `seconds` after its last byte."""
    return replace(
        response, fields=[*response.fields, (b"connection", b"close")], pieces=delay_end(response.pieces, seconds)
    )
