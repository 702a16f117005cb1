"""The lanes that one process knows: those of all levels that are served, as Redis had them last."""

from collections.abc import Iterable

from fast_priority.broker import keys, times
from fast_priority.scheduling.priority import Priority


class KnownLanes:
    """The lanes of one process. The scripts take newer ones from Redis, and use these where it has none."""

    def __init__(self, levels: Iterable[Priority] = keys.LANES.priorities) -> None:
        self.current = keys.lanes_of(levels)

    def note(self, served: bytes) -> None:
        """Note the levels that a script has found in Redis. What cannot be names of levels changes nothing."""
        levels = levels_in(served, times.MOST_LANES)
        if levels and levels != self.current.priorities:
            self.current = keys.lanes_of(levels)


def levels_in(written: bytes, most: int) -> tuple[Priority, ...]:
    """Return the levels in a text with a space between their names; none if it is not one, or has more than `most`."""
    names = written.decode("ascii", "replace").split(" ") if len(written) <= most * 17 else []
    try:
        levels = tuple(map(Priority, names))
    except ValueError:
        return ()
    return levels if len(set(levels)) == len(levels) <= most else ()
