"""The target's log: when it served each request, and the share of time in which its slots were busy. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LOG_FORMAT = "$msec $request_time $status $request_uri"
"""For nginx: the time of the end, the duration in seconds, the status and the target of the request."""


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """One request at the target; times are unix seconds."""

    arrived_at: float
    finished_at: float
    status: int
    uri: str

    @property
    def seconds(self) -> float:
        """Return how long the target took."""
        return self.finished_at - self.arrived_at


def read_target_log(lines: Iterable[str]) -> list[ServedRequest]:
    """Parse the lines of a log, and return its requests in the order of their arrival."""
    requests = []
    for line in lines:
        ended, duration, status, uri = line.split(" ", 3)
        requests.append(ServedRequest(float(ended) - float(duration), float(ended), int(status), uri))
    return sorted(requests, key=lambda request: request.arrived_at)


def busy_share(requests: Sequence[ServedRequest], slots: int, begins_at: float, ends_at: float) -> float:
    """Return the share of the slots' time, between two times, in which the target served a request."""
    busy_seconds = sum(
        max(0.0, min(request.finished_at, ends_at) - max(request.arrived_at, begins_at)) for request in requests
    )
    return busy_seconds / (slots * (ends_at - begins_at))


def steady_span(requests: Sequence[ServedRequest], margin_seconds: float) -> tuple[float, float]:
    """Return begin and end of the steady load: this long after the first arrival, and before the last."""
    return requests[0].arrived_at + margin_seconds, requests[-1].arrived_at - margin_seconds
