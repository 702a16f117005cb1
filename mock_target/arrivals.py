"""The arrival log: what reached the mock, in which order, and how many requests were in flight at once.

Pure: the clocks are arguments. One event loop writes it; it has no lock.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

DEFAULT_LOG_SIZE = 100_000


@dataclass(slots=True)
class Arrival:
    """One request as it arrived.

    `sequence` counts from 1; `arrived_at` and `finished_at` are unix seconds (None: still in flight);
    `started_monotonic_seconds` compares only with others of this process; `in_flight` includes the request itself.
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


class ArrivalLog:
    """Keeps the last `size` arrivals (1 or more, else ValueError) and counts those it had to drop."""

    def __init__(
        self,
        size: int = DEFAULT_LOG_SIZE,
        unix_clock: Callable[[], float] = time.time,
        monotonic_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if size < 1:
            raise ValueError(f"the log size is {size}; it must be 1 or more")
        self._unix_clock = unix_clock
        self._monotonic_clock = monotonic_clock
        self._arrivals: deque[Arrival] = deque(maxlen=size)
        self._total = 0
        self._in_flight = 0
        self._max_in_flight = 0

    def arrive(self, method: str, path: str, query: str, request_id: str | None) -> Arrival:
        """Record a request whose head has just been read, and give it the next sequence number."""
        self._total += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        arrival = Arrival(
            sequence=self._total,
            arrived_at=self._unix_clock(),
            started_monotonic_seconds=self._monotonic_clock(),
            finished_at=None,
            method=method,
            path=path,
            query=query,
            request_id=request_id,
            in_flight=self._in_flight,
        )
        self._arrivals.append(arrival)
        return arrival

    def finish(self, arrival: Arrival) -> None:
        """Record that a request was answered or given up; call it exactly once an arrival."""
        arrival.finished_at = self._unix_clock()
        self._in_flight -= 1

    def reset(self) -> None:
        """Forget the arrivals, start the sequence at 1 again, and the high-water mark at what is in flight now."""
        self._arrivals.clear()
        self._total = 0
        # Requests that are still in flight really are there, and their finish() will count them down.
        self._max_in_flight = self._in_flight

    def snapshot(self) -> dict[str, object]:
        """Give the log as plain data, oldest arrival first, with the counts since the last reset."""
        return {
            "arrivals": [asdict(arrival) for arrival in self._arrivals],
            "total": self._total,
            "dropped": self._total - len(self._arrivals),
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
        }
