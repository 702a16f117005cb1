"""What the target's log tells: when it had each request, and so how busy its slots were. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LOG_FORMAT = "$msec $request_time $status $request_uri"
"""As nginx takes it: when it ended, how long it took, in seconds to the millisecond, and what was asked for."""


@dataclass(frozen=True, slots=True)
class Service:
    """One request that the target had; unix seconds."""

    arrived_at: float
    finished_at: float
    status: int
    uri: str

    @property
    def seconds(self) -> float:
        """How long the target had it."""
        return self.finished_at - self.arrived_at


def read_services(lines: Iterable[str]) -> list[Service]:
    """Read a log, and give its requests in the order in which they arrived."""
    services = []
    for line in lines:
        ended, took, status, uri = line.split(" ", 3)
        services.append(Service(float(ended) - float(took), float(ended), int(status), uri))
    return sorted(services, key=lambda service: service.arrived_at)


def busy_share(services: Sequence[Service], slots: int, begins_at: float, ends_at: float) -> float:
    """Give the share of the slots' time between two moments in which the target had a request of theirs."""
    busy_seconds = sum(
        max(0.0, min(service.finished_at, ends_at) - max(service.arrived_at, begins_at)) for service in services
    )
    return busy_seconds / (slots * (ends_at - begins_at))


def steady_span(services: Sequence[Service], margin_seconds: float) -> tuple[float, float]:
    """Give from when to when the load was steady: so long after the first arrival, and so long before the last."""
    return services[0].arrived_at + margin_seconds, services[-1].arrived_at - margin_seconds
