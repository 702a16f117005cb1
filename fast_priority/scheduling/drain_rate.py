"""How fast the queues are emptied, and when a request that was refused should come again."""

import math
from collections import deque
from collections.abc import Mapping

_WINDOW_SECONDS = 30.0
_MOST_MISSING = 1000
_LEAST_SECONDS = 1
_MOST_SECONDS = 50.0  # before the jitter, so that the longest times differ as well


class DrainRate:
    """Requests that all workers together have ended in a second, over the last 30 s."""

    def __init__(self) -> None:
        self._ended: dict[str, int] | None = None  # also of workers that have left, and may come back
        self._looks: deque[tuple[float, int]] = deque()  # when, and how many requests have ended since the look before

    def note(self, ended: Mapping[str, int], now_seconds: float) -> None:
        """Take the number of requests that each worker, by its name, has ended since it started.

        All requests of a worker that is new count; a worker that has left takes none of its own away. A worker may be
        missing for a while, as after a Redis that has lost its data: when it comes back, only what is new counts.
        """
        if self._ended is None:
            self._ended, more = {}, 0  # the time in which they have ended is unknown
        else:
            more = sum(_newly_ended(count, self._ended.get(name, 0)) for name, count in ended.items())
        missing = {name: count for name, count in self._ended.items() if name not in ended}
        self._ended = dict([*missing.items()][-_MOST_MISSING:]) | dict(ended)
        self._looks.append((now_seconds, more))
        while now_seconds - self._looks[0][0] > _WINDOW_SECONDS:
            self._looks.popleft()

    def per_second(self) -> float:
        """Return the rate; 0 if no request has ended, or there was only one look."""
        if len(self._looks) < 2:
            return 0.0
        # The first look counted what had ended before it.
        ended = sum(count for _, count in self._looks) - self._looks[0][1]
        return ended / (self._looks[-1][0] - self._looks[0][0])


def _newly_ended(count: int, before: int) -> int:
    return count - before if count >= before else count  # a lower number counts from 0 again


def retry_after_seconds(ahead: int, per_second: float, jitter: float) -> int:
    """Return the seconds, 1 to 60, in which `ahead` requests end, times `jitter`; the longest time if none ends.

    `jitter` is 0.8 to 1.2 and differs for each client, so that clients that were refused together come back apart.
    """
    seconds = min(ahead / per_second, _MOST_SECONDS) if per_second > 0 else _MOST_SECONDS
    return max(math.ceil(seconds * jitter), _LEAST_SECONDS)
