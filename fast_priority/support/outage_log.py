"""Troubles told once when they begin, now and then while they last, and once when they are over."""

import logging
import time
from collections.abc import Callable

_REMIND_SECONDS = 30.0


class OutageLog:
    """One kind of trouble, as a log tells of it: an outage of minutes is a few lines, not thousands."""

    def __init__(self, what: str, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._logger = logger
        self._clock = clock
        self._told_at: float | None = None
        self._untold = 0

    def failure(self, why: object) -> None:
        """It is there, or still there."""
        now = self._clock()
        if self._told_at is None:
            self._logger.warning("%s: %s", self._what, why)
        elif now - self._told_at >= _REMIND_SECONDS:
            self._logger.warning("%s: %s (and %d times before)", self._what, why, self._untold)
        else:
            self._untold += 1
            return
        self._told_at, self._untold = now, 0

    def recovered(self) -> None:
        """It is not there, or no longer."""
        if self._told_at is not None:
            self._logger.warning("%s: over", self._what)
            self._told_at = None
