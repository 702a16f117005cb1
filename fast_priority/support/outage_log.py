"""Logs an outage in a few lines: when it begins, every 30 s while it lasts, and when it is over."""

import logging
import time
from collections.abc import Callable

_REMIND_SECONDS = 30.0


class OutageLog:
    """The log of one kind of failure, `what`, which may happen thousands of times a minute."""

    def __init__(self, what: str, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._logger = logger
        self._clock = clock
        self._logged_at: float | None = None
        self._unlogged = 0

    def failure(self, why: object) -> None:
        """Count a failure; log it if it is the first, or, with the count, if the last log line is 30 s old."""
        now = self._clock()
        if self._logged_at is None:
            self._logger.warning("%s: %s", self._what, why)
        elif now - self._logged_at >= _REMIND_SECONDS:
            self._logger.warning("%s: %s (and %d times before)", self._what, why, self._unlogged)
        else:
            self._unlogged += 1
            return
        self._logged_at, self._unlogged = now, 0

    def recovered(self) -> None:
        """Log that the outage is over, if there was one."""
        if self._logged_at is not None:
            self._logger.warning("%s: over", self._what)
            self._logged_at = None
