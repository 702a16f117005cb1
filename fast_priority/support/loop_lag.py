"""How late an event loop is: the longest delay of a timer in the last seconds.

A callback that takes long delays everything else of its process. A timer that runs twice a second shows it.
"""

import asyncio
from time import monotonic

_EVERY_SECONDS = 0.5
_WINDOW_SECONDS = 15.0


class LoopLag:
    """Measures the delay of the running event loop, from the beginning of the block to its end."""

    def __init__(self) -> None:
        self._worst_before = self._worst = 0.0
        self._window_began = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "LoopLag":
        self._window_began = monotonic()
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def worst_seconds(self) -> float:
        """The longest delay of the last 15 to 30 seconds."""
        return max(self._worst_before, self._worst)

    def _begin(self) -> None:
        self._due = monotonic() + _EVERY_SECONDS
        self._timer = asyncio.get_running_loop().call_later(_EVERY_SECONDS, self._look)

    def _look(self) -> None:
        now = monotonic()
        if now - self._window_began >= _WINDOW_SECONDS:
            self._worst_before, self._worst, self._window_began = self._worst, 0.0, now
        self._worst = max(self._worst, now - self._due)
        self._begin()
