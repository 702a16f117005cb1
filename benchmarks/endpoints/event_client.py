"""A client that reads one stream of server-sent events and notes when each event arrived."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from benchmarks.endpoints.bodies import request_head
from benchmarks.endpoints.http_response import ResponseReader


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; both times are of the machine's monotonic clock."""

    number: int
    sent_seconds: float
    received_seconds: float


class _EventReader(ResponseReader):
    """A response whose body is server-sent events."""

    def __init__(self) -> None:
        super().__init__()
        self._unparsed = b""
        self.events: list[Event] = []

    def on_body(self, data: bytes) -> None:
        """Parse the events that are complete; a piece can end inside an event."""
        received = time.monotonic()
        *complete, self._unparsed = (self._unparsed + data).split(b"\n\n")
        for event in complete:
            fields = json.loads(event.removeprefix(b"data: "))
            self.events.append(Event(fields["number"], fields["sent"], received))


class EventStream(asyncio.Protocol):
    """Requests a stream of events; `ended` is set once its connection is closed. asyncio calls its methods."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._response = _EventReader()
        self._transport: asyncio.WriteTransport | None = None
        self.ended = asyncio.Event()

    @property
    def status(self) -> int:
        """Return the status of the response; 0 before it arrives."""
        return self._response.status

    @property
    def events(self) -> list[Event]:
        """Return the events received so far, in order."""
        return self._response.events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(request_head("GET", self._path))

    def data_received(self, data: bytes) -> None:
        """Read events, and close the connection after the last one."""
        self._response.feed(data)
        if self._response.is_complete and self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Set `ended`."""
        self.ended.set()


async def receive_streams(port: int, path: str, streams: int, within_seconds: float) -> list[EventStream]:
    """Open so many streams at once. Return them when all have ended, or after this time."""
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: EventStream(path), "127.0.0.1", port) for _ in range(streams)]
    with suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            for _, stream in opened:
                await stream.ended.wait()
    for transport, _ in opened:
        transport.close()
    return [stream for _, stream in opened]
