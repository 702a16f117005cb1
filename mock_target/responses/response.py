"""What goes back to a client: the `Answer`, and the kinds of it. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

from mock_target.responses.fields import Fields
from mock_target.responses.pacing import NO_CONTENT, Piece
from mock_target.settings import KnobError

# RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5: these answers have no content.
STATUSES_WITHOUT_BODY = frozenset({204, 205, 304})

PROBLEM_CONTENT_TYPE = "application/problem+json"

_PATTERN = bytes(range(256)) * 256


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, fields and a body in pieces.

    `length_bytes` is the length of the body, told as Content-Length; None: not known before its end (chunked).
    """

    status: int
    fields: Fields = field(default_factory=list)
    pieces: Iterable[Piece] = (NO_CONTENT,)
    length_bytes: int | None = 0


def bytes_answer(status: int, body: bytes, content_type: str, fields: Fields | None = None) -> Answer:
    """Make an answer from a body that is already at hand."""
    return Answer(status, [(b"content-type", content_type.encode()), *(fields or [])], (Piece(0.0, body),), len(body))


def sized_answer(status: int, size_bytes: int) -> Answer:
    """Make an answer of `size_bytes` bytes, in which byte n is n modulo 256; made piece by piece as it is sent."""
    return Answer(status, [(b"content-type", b"application/octet-stream")], _pattern_pieces(size_bytes), size_bytes)


def _pattern_pieces(size_bytes: int) -> Iterator[Piece]:
    whole_pieces, rest = divmod(size_bytes, len(_PATTERN))
    for _ in range(whole_pieces):
        yield Piece(0.0, _PATTERN)
    if rest or not whole_pieces:
        yield Piece(0.0, _PATTERN[:rest])


def problem_answer(status: int, detail: str, fields: Fields | None = None, **members: str) -> Answer:
    """Make an answer that is a problem (RFC 9457), with `members` beside its detail."""
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return bytes_answer(status, json.dumps(problem).encode(), PROBLEM_CONTENT_TYPE, fields)


def knob_problem(error: KnobError, status: int = 400) -> Answer:
    """Make the problem that names the parameter, the value given, and how to mend it."""
    return problem_answer(status, str(error), parameter=error.parameter, value=error.value, mend=error.mend)
