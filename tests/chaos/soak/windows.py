"""The time of a fault, and the harm that it explains. Pure."""

from dataclasses import dataclass
from enum import IntEnum


class Harm(IntEnum):
    """The most that a fault may do to requests in flight until it has settled."""

    NOTHING = 0
    """Every request is answered as without a fault."""
    REFUSALS = 1
    """Requests may be refused or lost; a transfer that has started is completed."""
    BREAKS = 2
    """Transfers may be broken off as well: a process died, or was frozen for longer than its lease."""


@dataclass(frozen=True, slots=True)
class Window:
    """One fault, from its start until it has settled; unix seconds."""

    name: str
    began_at: float
    over_at: float
    settled_at: float
    harm: Harm = Harm.BREAKS

    def touches(self, began_at: float, ended_at: float) -> bool:
        """Return whether this period overlaps the window."""
        return ended_at >= self.began_at and began_at <= self.settled_at
