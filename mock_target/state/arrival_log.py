"""The arrival log: which requests reached the mock, in which order, and how many were in flight at once.

Pure: the clocks are arguments. One event loop writes it; it has no lock. Its memory is bounded: it keeps a fixed number
of arrivals, and of a long path, query or request id only the beginning.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from mock_target.settings import DEFAULT_LOG_SIZE

MAX_PATH_CHARACTERS = 500
MAX_REQUEST_ID_CHARACTERS = 200


@dataclass(slots=True)
class Arrival:
    """One request as it arrived.

    `sequence` counts from 1; times are unix seconds (`finished_at` None: still in flight; `work_started_at` None: no
    permit yet, or never). `started_monotonic_seconds` compares only with others of this process. `in_flight` includes
    the request itself. `status` is None without a response (yet), `fault` without a fault.
    """

    sequence: int
    arrived_at: float
    started_monotonic_seconds: float
    finished_at: float | None
    method: str
    path: str
    query: str
    request_id: str | None
    in_flight: int
    work_started_at: float | None = None
    status: int | None = None
    fault: str | None = None


class Signal(Protocol):
    """Something that can be set at each arrival, such as an asyncio.Event."""

    def set(self) -> None:
        """Set the signal."""


class ArrivalLog:
    """Keeps the last `size` arrivals (1 or more, else ValueError) and counts the dropped ones."""

    def __init__(
        self,
        size: int = DEFAULT_LOG_SIZE,
        unix_clock: Callable[[], float] = time.time,
        monotonic_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if size < 1:
            raise ValueError(f"the log size is {size}; it must be 1 or more")
        self._size = size
        self._unix_clock = unix_clock
        self._monotonic_clock = monotonic_clock
        # A ring buffer: arrival n is at (n - 1) modulo size.
        self._ring: list[Arrival] = []
        self._signals: set[Signal] = set()
        self.total = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.resets = 0

    @property
    def dropped(self) -> int:
        """How many arrivals since the last reset have been dropped."""
        return self.total - len(self._ring)

    @property
    def readers(self) -> int:
        """How many signals are registered."""
        return len(self._signals)

    def record(self, method: str, path: str, query: str, request_id: str | None) -> Arrival:
        """Add a request whose head has just been read, with the next sequence number, and return its arrival."""
        self.total += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        arrival = Arrival(
            sequence=self.total,
            arrived_at=self._unix_clock(),
            started_monotonic_seconds=self._monotonic_clock(),
            finished_at=None,
            method=method,
            path=_shorten(path, MAX_PATH_CHARACTERS),
            query=_shorten(query, MAX_PATH_CHARACTERS),
            request_id=None if request_id is None else _shorten(request_id, MAX_REQUEST_ID_CHARACTERS),
            in_flight=self.in_flight,
        )
        if len(self._ring) < self._size:
            self._ring.append(arrival)
        else:
            self._ring[(self.total - 1) % self._size] = arrival
        for signal in self._signals:
            signal.set()
        return arrival

    def start_work(self, arrival: Arrival, started_at: float | None = None) -> None:
        """Record that work on a request starts now, or started at `started_at` (unix seconds)."""
        arrival.work_started_at = self._unix_clock() if started_at is None else started_at

    def finish(self, arrival: Arrival) -> None:
        """Record the end of a request, with or without a response; call it exactly once an arrival."""
        arrival.finished_at = self._unix_clock()
        self.in_flight -= 1

    def reset(self) -> None:
        """Drop all arrivals, restart the sequence at 1, and the maximum in flight at what is in flight now."""
        self._ring.clear()
        self.total = 0
        self.resets += 1
        # Requests that are still in flight are still counted, and their finish() will decrease the count.
        self.max_in_flight = self.in_flight
        for signal in self._signals:
            signal.set()

    def read_after(self, sequence: int, max_count: int) -> list[Arrival]:
        """Return up to `max_count` of the kept arrivals after that sequence number, oldest first."""
        first = max(sequence, self.dropped)
        last = min(first + max_count, self.total)
        return [self._ring[number % self._size] for number in range(first, last)]

    @contextmanager
    def notify(self, signal: Signal) -> Iterator[None]:
        """Set this signal at each arrival and reset, as long as the context lasts."""
        self._signals.add(signal)
        try:
            yield
        finally:
            self._signals.discard(signal)


def _shorten(text: str, max_characters: int) -> str:
    if len(text) <= max_characters:
        return text
    return f"{text[:max_characters]}...(+{len(text) - max_characters})"
