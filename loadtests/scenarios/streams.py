"""Request streams: requests of one kind, when they are sent, and how long clients wait. Pure."""

from dataclasses import dataclass
from random import Random

from loadtests.records import Priority
from loadtests.scenarios.arrival_processes import ArrivalProcess


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """Users who each send the next request `think_seconds` after the response to the last one."""

    users: int
    think_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests that are sent at fixed times, however many still wait."""

    process: ArrivalProcess


@dataclass(frozen=True, slots=True)
class Abandonment:
    """A `share` of the clients, from 0 to 1, disconnects before the response.

    Each does so after a random time from `earliest_seconds` to `latest_seconds`, unless the response comes first.
    """

    share: float
    earliest_seconds: float
    latest_seconds: float

    def draw(self, random: Random) -> float | None:
        """Return the seconds after which one client disconnects; None: it waits for its response."""
        if random.random() >= self.share:
            return None
        return random.uniform(self.earliest_seconds, self.latest_seconds)


@dataclass(frozen=True, slots=True)
class RequestStream:
    """Requests of one kind: their priority, who sends them, and the behaviour that they set at the mock target.

    `latency` is how long the target takes, in the mock target's grammar; `fields` are further request fields. With an
    `abandonment` of None all clients wait for their response. Of `handshake_every` requests the last one is a
    WebSocket handshake, which the mock target handles like any other request; 0: none is.
    """

    name: str
    priority: Priority
    source: ClosedLoop | OpenLoop
    latency: str
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    abandonment: Abandonment | None = None
    handshake_every: int = 0
