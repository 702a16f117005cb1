"""The access log: one line for each request that has ended.

The standard library is enough for it: each line is one flat object, and no other part of the program writes such lines.
"""

import sys
import time
from collections.abc import Callable

from fast_priority.errors import GatewayError, UnforeseenError
from fast_priority.events import Answered, Events, Failed, Left, Refused, RequestRecord, Scope
from fast_priority.observability.access_line import AccessLine, access_line
from fast_priority.observability.line_writer import LineWriter

_CLIENT_LEFT = 499
_LEAST_STATUS_OF_FAILURES = 500


class AccessLog:
    """Writes a line for each request that took so many seconds or more, or failed. With 0 seconds: for each request.

    `write` takes a line, and returns soon.
    """

    def __init__(self, least_seconds: float, write: Callable[[str], None], *, for_people: bool) -> None:
        self._least_seconds = least_seconds
        self._write = write
        self._format = AccessLine.for_people if for_people else AccessLine.as_json

    @classmethod
    def on_stdout(cls, least_seconds: float) -> "AccessLog":
        """Return the log on standard output: for people on a terminal, else as JSON."""
        return cls(least_seconds, LineWriter(sys.stdout, "the access log").write, for_people=sys.stdout.isatty())

    def listen(self, events: Events) -> None:
        """Subscribe to the last event of each request."""
        events.subscribe(Answered, self._note_answered)
        events.subscribe(Refused, self._note_refused)
        events.subscribe(Failed, self._note_failed)
        events.subscribe(Left, self._note_left)

    def _note_answered(self, event: Answered) -> None:
        self._note(event.scope, event.record, event.status, "answered")

    def _note_refused(self, event: Refused) -> None:
        self._note(event.scope, event.record, event.error.status, event.error.slug)

    def _note_failed(self, event: Failed) -> None:
        error = event.error if isinstance(event.error, GatewayError) else UnforeseenError()
        slug, status = error.slug, error.status
        if event.is_broken_off:
            slug, status = f"broken off: {slug}", event.record.status
        self._note(event.scope, event.record, status, slug, has_failed=True)

    def _note_left(self, event: Left) -> None:
        self._note(event.scope, event.record, _CLIENT_LEFT, "left")

    def _note(self, scope: Scope, record: RequestRecord, status: int, end: str, *, has_failed: bool = False) -> None:
        is_slow = record.ended_at() - record.received_at >= self._least_seconds
        if is_slow or has_failed or status >= _LEAST_STATUS_OF_FAILURES:
            self._write(self._format(access_line(scope, record, status, end, time.time())))
