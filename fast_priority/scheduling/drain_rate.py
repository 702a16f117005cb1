"""How fast the queues are emptied, and so when it is worth trying again."""

import math
from collections import deque
from collections.abc import Mapping

_WINDOW_SECONDS = 30.0
_LEAST_SECONDS = 1
_MOST_SECONDS = 50.0  # before the jitter, so that the most is spread as well


class DrainRate:
    """Requests ended in a second, by all workers together, over the last 30 s."""

    def __init__(self) -> None:
        self._ended: dict[str, int] | None = None
        self._looks: deque[tuple[float, int]] = deque()  # when, and how many had ended since the look before

    def note(self, ended: Mapping[str, int], now_seconds: float) -> None:
        """Take in how many requests each worker has ended in its life, by the worker's name.

        A worker that comes counts from its birth; one that has left takes nothing back.
        """
        if self._ended is None:
            more = 0  # what was ended before anybody looked says nothing of how fast it was
        else:
            more = sum(max(0, count - self._ended.get(name, 0)) for name, count in ended.items())
        self._ended = dict(ended)
        self._looks.append((now_seconds, more))
        while now_seconds - self._looks[0][0] > _WINDOW_SECONDS:
            self._looks.popleft()

    def per_second(self) -> float:
        """Give the rate; 0 while nothing has ended, or nobody knows."""
        if len(self._looks) < 2:
            return 0.0
        # What the first look counted had ended before it.
        ended = sum(count for _, count in self._looks) - self._looks[0][1]
        return ended / (self._looks[-1][0] - self._looks[0][0])


def retry_after_seconds(ahead: int, per_second: float, jitter: float) -> int:
    """Give the seconds, 1 to 60, until `ahead` requests are gone, times `jitter`; the longest where none goes.

    `jitter` is 0.8 to 1.2, another one for each client: those that were refused together come back apart.
    """
    seconds = min(ahead / per_second, _MOST_SECONDS) if per_second > 0 else _MOST_SECONDS
    return max(math.ceil(seconds * jitter), _LEAST_SECONDS)
