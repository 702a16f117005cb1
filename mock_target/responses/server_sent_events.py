"""/mock/sse: server-sent events, one at a time, in the format of the HTML standard's section 9.2. Pure.

    /mock/sse?events=5&interval=0.1     five events, 0.1 seconds apart, the first at once

`events` is 1 to 100000 (5 when not given), `interval` 0 to 3600 seconds (0.1); the stream lasts an hour at most.
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl

from mock_target.responses.pacing import Piece
from mock_target.responses.response import MockResponse
from mock_target.settings import MAX_SECONDS, parse_seconds, read_value, whole_number_parser

SSE_PATH = b"/mock/sse"

_parse_events = whole_number_parser(1, 100_000, "a number of events")


def sse_response(query: bytes) -> MockResponse:
    """Return the stream that a query asks for. Raises KnobError."""
    # Of several parameters with one name the first counts, as with knobs.
    given = dict(reversed(parse_qsl(query.decode("latin-1"), keep_blank_values=True)))
    events = read_value(_parse_events, given.get("events", "5"), "events")
    interval_seconds = read_value(parse_seconds, given.get("interval", "0.1"), "interval")
    fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    return MockResponse(200, fields, _events(events, interval_seconds), None)


def _events(events: int, interval_seconds: float) -> Iterator[Piece]:
    for number in range(1, events + 1):
        due_seconds = interval_seconds * (number - 1)
        if due_seconds > MAX_SECONDS:
            return
        yield Piece(due_seconds, b'id: %d\ndata: {"event": %d, "of": %d}\n\n' % (number, number, events))
