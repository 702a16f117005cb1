"""One line of the access log: what is known of a request at its end, as JSON or for people. Pure.

A line has no query, no field and no body. It is shorter than 4 KiB, so that lines of several processes that write to
one pipe do not mix (PIPE_BUF, see pipe(7)). Control characters are escaped: no client can begin a line of its own.
"""

import json
from datetime import UTC, datetime
from typing import NamedTuple

from fast_priority.events import RequestRecord, Scope

_MOST_PATH_CHARACTERS = 2000  # as they are written
_MOST_PATH_CHARACTERS_TO_ESCAPE = 150
_MOST_METHOD_CHARACTERS = 32
_MOST_NAME_CHARACTERS = 300
_MOST_NAME_CHARACTERS_TO_ESCAPE = 25
_MILLISECONDS = 1000


class AccessLine(NamedTuple):
    """What a line says. Durations are in milliseconds; None is what a request did not have, or is not known."""

    time: str
    """When the request ended, in UTC."""
    level: str
    rule: str | None
    """The rule that decided."""
    key: str | None
    """The name of the key that the client showed."""
    client: str | None
    """The address that the request came from: that of a proxy, if one is in front."""
    method: str
    path: str
    status: int
    """499: the client had left."""
    answered_by: str
    """target, gateway, or nobody."""
    queue_ms: float | None
    target_ms: float | None
    total_ms: float
    bytes: int
    """Of the body of the target's response, as far as it was sent."""
    attempt: int
    request_id: str
    end: str
    """Why it ended: answered, left, or the type of the error."""

    def as_json(self) -> str:
        """Return the line as one JSON object."""
        return json.dumps(self._asdict())

    def for_people(self) -> str:
        """Return the line for a terminal."""
        parts = [
            f"{self.time} {self.status} {_printable(self.method)} {_printable(self.path)}",
            f"{self.level}: {self.total_ms:.1f} ms",
            *([f"queue {self.queue_ms:.1f} ms"] if self.queue_ms is not None else []),
            *([f"target {self.target_ms:.1f} ms"] if self.target_ms is not None else []),
            f"{self.bytes} bytes",
            *([f"attempt {self.attempt}"] if self.attempt > 1 else []),
            f"by {self.answered_by}",
            *([self.end] if self.end != "answered" else []),
            *([f"rule {_printable(self.rule)}"] if self.rule is not None else []),
            *([f"key {_printable(self.key)}"] if self.key is not None else []),
            f"client {self.client or 'unknown'}",
            f"request {self.request_id}",
        ]
        return ", ".join(parts)


def access_line(scope: Scope, record: RequestRecord, status: int, end: str, now: float) -> AccessLine:
    """Return the line of a request that ends now, by the time of day in seconds, with this status."""
    client: tuple[str, int] | None = scope.get("client")
    is_answered = end != "left"
    return AccessLine(
        datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        record.level,
        _shortened_name(record.rule),
        _shortened_name(record.key),
        client[0] if client else None,
        scope["method"][:_MOST_METHOD_CHARACTERS],
        _shortened(scope["path"], _MOST_PATH_CHARACTERS, _MOST_PATH_CHARACTERS_TO_ESCAPE),
        status,
        ("target" if record.is_of_target else "gateway") if is_answered else "nobody",
        _milliseconds(record.queue_seconds),
        _milliseconds(record.target_seconds),
        round((record.ended_at() - record.received_at) * _MILLISECONDS, 1),
        record.sent_bytes,
        record.attempt,
        record.request_id,
        end,
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * _MILLISECONDS, 1)


def _shortened(text: str, most: int, most_to_escape: int) -> str:
    is_short = len(text) <= most and len(json.dumps(text)) <= most
    return text if is_short else f"{text[:most_to_escape]}..."


def _shortened_name(name: str | None) -> str | None:
    """Return the name of a rule or of a key, which may have 100 characters that are each written as twelve."""
    return None if name is None else _shortened(name, _MOST_NAME_CHARACTERS, _MOST_NAME_CHARACTERS_TO_ESCAPE)


def _printable(text: str) -> str:
    return ascii(text)[1:-1]
