"""When a fault was, and what it explains. Pure."""

from dataclasses import dataclass
from enum import IntEnum


class Harm(IntEnum):
    """The most that a fault may do to requests that are under way or sent while it lasts, and until it has settled."""

    NOTHING = 0
    """Every request is answered as if there were none."""
    REFUSALS = 1
    """Requests may be refused or lost; a transfer that has begun is whole in the end."""
    BREAKS = 2
    """Transfers may break off as well: a process died, or was away for longer than its lease."""


@dataclass(frozen=True, slots=True)
class Window:
    """One fault, from its beginning until it was over and had settled; unix seconds."""

    name: str
    began_at: float
    over_at: float
    settled_at: float
    harm: Harm = Harm.BREAKS

    def touches(self, began_at: float, ended_at: float) -> bool:
        """Tell whether any of this time is in the window."""
        return ended_at >= self.began_at and began_at <= self.settled_at
