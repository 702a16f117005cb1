"""Who sends requests of one kind, when they do, and whether they wait for the answer. Pure."""

from dataclasses import dataclass
from random import Random

from loadtests.records import Priority
from loadtests.scenarios.arrival_processes import ArrivalProcess


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """Users who each send the next request `think_seconds` after they have the answer to the last one."""

    users: int
    think_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests that are sent at their times, however many still wait."""

    process: ArrivalProcess


@dataclass(frozen=True, slots=True)
class Leaving:
    """`share` of the clients, from 0 to 1, leave unless they are answered sooner.

    Each does so after a time of its own, anywhere from `earliest_seconds` to `latest_seconds`.
    """

    share: float
    earliest_seconds: float
    latest_seconds: float

    def draw(self, random: Random) -> float | None:
        """Give the time after which one client leaves; None: it stays."""
        if random.random() >= self.share:
            return None
        return random.uniform(self.earliest_seconds, self.latest_seconds)


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests of one kind: their priority, who sends them, and what they ask of the mock target.

    `latency` is how long the target takes, in the grammar of `mock_target.latency`; `fields` are further request
    fields. `leaving` of None: all wait for their answer. Of `handshake_every` requests the last one asks for a
    WebSocket, which the mock target answers like any other request; 0: none does.
    """

    name: str
    priority: Priority
    source: ClosedLoop | OpenLoop
    latency: str
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    leaving: Leaving | None = None
    handshake_every: int = 0
