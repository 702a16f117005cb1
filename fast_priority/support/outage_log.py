"""Logs an outage in a few lines: when it begins, from time to time while it lasts, and when it is over."""

import logging
import time
from collections.abc import Callable

_REMIND_SECONDS = 30.0


class OutageLog:
    """The log of one kind of failure, `what`, which may happen thousands of times a minute.

    While it lasts, there is at most one line in `remind_seconds`, and one for each failure to be logged at once.
    """

    def __init__(
        self,
        what: str,
        logger: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
        remind_seconds: float = _REMIND_SECONDS,
    ) -> None:
        self._what = what
        self._logger = logger
        self._clock = clock
        self._remind_seconds = remind_seconds
        self._logged_at: float | None = None
        self._unlogged = 0
        self._failures = 0

    @property
    def lasts(self) -> bool:
        """Whether there was a failure, and the outage is not over."""
        return self._logged_at is not None

    def failure(self, why: object, *, at_once: bool = False) -> None:
        """Count a failure; log it if it is the first, or, with the count, if the last line is old enough or `at_once`.

        The caller bounds how often it is `at_once`.
        """
        now = self._clock()
        self._failures += 1
        if self._logged_at is None:
            self._logger.warning("%s: %s", self._what, why)
        elif at_once or now - self._logged_at >= self._remind_seconds:
            others = f" (and {self._unlogged} more in {now - self._logged_at:.0f} s)" if self._unlogged else ""
            self._logger.warning("%s: %s%s", self._what, why, others)
        else:
            self._unlogged += 1
            return
        self._logged_at, self._unlogged = now, 0

    def recovered(self) -> None:
        """Log that the outage is over, with the number of its failures, if there was one."""
        if self._logged_at is not None:
            self._logger.info("%s: over, after %d failure%s", self._what, self._failures, "s"[: self._failures > 1])
            self._logged_at, self._unlogged, self._failures = None, 0, 0
