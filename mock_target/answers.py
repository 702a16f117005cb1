"""What goes back to a client: the `Answer`, the kinds of it, and the one place that sends it over ASGI."""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]

# RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5: these answers have no content.
STATUSES_WITHOUT_BODY = frozenset({204, 205, 304})

PROBLEM_CONTENT_TYPE = "application/problem+json"

_PATTERN = bytes(range(256)) * 256


@dataclass(frozen=True)
class Answer:
    """A status, fields and a body of exactly `length_bytes`; Content-Length is added when it is sent."""

    status: int
    fields: Fields = field(default_factory=list)
    chunks: Iterable[bytes] = (b"",)
    length_bytes: int = 0


def bytes_answer(status: int, body: bytes, content_type: str, fields: Fields | None = None) -> Answer:
    """Make an answer from a body that is already at hand."""
    return Answer(status, [(b"content-type", content_type.encode()), *(fields or [])], (body,), len(body))


def sized_answer(status: int, size_bytes: int) -> Answer:
    """Make an answer of `size_bytes` bytes, in which byte n is n modulo 256; made chunk by chunk as it is sent."""
    return Answer(status, [(b"content-type", b"application/octet-stream")], _pattern_chunks(size_bytes), size_bytes)


def _pattern_chunks(size_bytes: int) -> Iterator[bytes]:
    whole_chunks, rest = divmod(size_bytes, len(_PATTERN))
    for _ in range(whole_chunks):
        yield _PATTERN
    yield _PATTERN[:rest]


def problem_json(status: int, parameter: str, value: str, mend: str) -> bytes:
    """Write a problem (RFC 9457) that names the parameter, the value given, and how to mend it."""
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{parameter} is {value!r}: {mend}",
        "parameter": parameter,
        "value": value,
        "mend": mend,
    }
    return json.dumps(problem).encode()


async def send_answer(answer: Answer, method: str, send: Send) -> None:
    """Send an answer over ASGI, without its body where HTTP has none: to HEAD, and with 204, 205 or 304."""
    fields = list(answer.fields)
    chunks, remaining_bytes = answer.chunks, answer.length_bytes
    if answer.status not in STATUSES_WITHOUT_BODY:
        fields.append((b"content-length", b"%d" % answer.length_bytes))
    if method == "HEAD" or answer.status in STATUSES_WITHOUT_BODY:
        chunks, remaining_bytes = (b"",), 0
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    for chunk in chunks:
        remaining_bytes -= len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": remaining_bytes > 0})
        if remaining_bytes == 0:
            return
