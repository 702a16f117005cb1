"""Which answer a request gets, and in which pieces. Pure."""

import gzip
from dataclasses import replace

from mock_target.responses.echo import echo_request
from mock_target.responses.fields import Fields
from mock_target.responses.pacing import NO_CONTENT, Piece, hold_open, pace
from mock_target.responses.received_request import ReceivedRequest
from mock_target.responses.response import STATUSES_WITHOUT_BODY, Answer, bytes_answer, sized_answer
from mock_target.responses.server_sent_events import SSE_PATH, sse_answer
from mock_target.responses.special_pages import SPECIAL_PAGES
from mock_target.settings import Behaviour

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


def choose_answer(request: ReceivedRequest, behaviour: Behaviour, status: int | None) -> Answer:
    """Give the whole answer, with that status (None: its own). Raises KnobError for a bad SSE query."""
    answer = _choose_content(request, behaviour)
    fields = answer.fields
    if behaviour.redirect is not None:
        fields = [*_without(fields, b"location"), (b"location", behaviour.redirect.encode())]
    if behaviour.content_type is not None:
        fields = [*_without(fields, b"content-type"), (b"content-type", behaviour.content_type.encode())]
    if behaviour.fields is not None:
        fields = [*fields, *((name.encode(), value.encode()) for name, value in behaviour.fields)]
    if status is None and fields is answer.fields:
        return answer
    return replace(answer, status=status or answer.status, fields=fields)


def _choose_content(request: ReceivedRequest, behaviour: Behaviour) -> Answer:
    if behaviour.size is not None:
        return sized_answer(200, behaviour.size)
    if behaviour.body is not None:
        return bytes_answer(200, behaviour.body.encode(), _TEXT)
    if behaviour.redirect is not None:
        return bytes_answer(302, b"", _TEXT)
    if request.raw_path == SSE_PATH:
        return sse_answer(request.query)
    return SPECIAL_PAGES.get(request.raw_path) or bytes_answer(200, echo_request(request), _JSON)


def _without(fields: Fields, name: bytes) -> Fields:
    return [field for field in fields if field[0] != name]


def pack_answer(answer: Answer) -> Answer:
    """Compress the body, unless its length is not known or it has an encoding already; takes time for a large one."""
    if answer.length_bytes is None or any(name == b"content-encoding" for name, _ in answer.fields):
        return answer
    packed = gzip.compress(b"".join(piece.content for piece in answer.pieces), mtime=0)
    fields = [*answer.fields, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    return Answer(answer.status, fields, (Piece(0.0, packed),), len(packed))


def shape_answer(answer: Answer, method: str, behaviour: Behaviour) -> Answer:
    """Leave the body out where HTTP has none (to HEAD, with 204, 205 and 304), else pace it."""
    if answer.status in STATUSES_WITHOUT_BODY:
        return replace(answer, pieces=(NO_CONTENT,), length_bytes=None)
    if method == "HEAD":
        return replace(answer, pieces=(NO_CONTENT,))
    if answer.length_bytes is None or (behaviour.dribble is None and behaviour.bandwidth is None):
        return answer
    return replace(answer, pieces=pace(answer.pieces, answer.length_bytes, behaviour))


def close_slowly(answer: Answer, seconds: float) -> Answer:
    """Let the connection stay open for so many seconds after the whole answer, which says that it will be closed."""
    return replace(answer, fields=[*answer.fields, (b"connection", b"close")], pieces=hold_open(answer.pieces, seconds))
