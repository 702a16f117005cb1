"""Notices: what is wrong and stops nothing. Each is logged once, and is shown as long as it goes on."""

import logging
import time
from collections.abc import Callable

_MOST = 32
_SHOWN_SECONDS = 600.0
_FORGOTTEN_SECONDS = 3600.0


class Notices:
    """Keeps at most 32 notices. While so many were noted within the last hour, no other is logged or shown.

    `subject` stands in front of each line of the log.
    """

    def __init__(self, logger: logging.Logger, subject: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._subject = subject
        self._clock = clock
        self._noted_at: dict[str, float] = {}  # the one that was not noted for longest first
        self._texts: dict[str, str] = {}

    def note(self, key: str, text: str) -> None:
        """Note what `key` stands for. Log `text` if it was not noted before."""
        now = self._clock()
        if self._noted_at.pop(key, None) is None:
            if len(self._noted_at) >= _MOST and not self._forget_one(now):
                return
            self._logger.warning("%s%s", self._subject, text)
        self._noted_at[key] = now
        self._texts[key] = text

    def forget(self, key: str) -> None:
        """Forget what `key` stands for: it is over, and would be news if it came back."""
        self._noted_at.pop(key, None)
        self._texts.pop(key, None)

    def recent(self) -> list[str]:
        """Return the texts that were noted within the last 10 minutes, the last one first."""
        since = self._clock() - _SHOWN_SECONDS
        return [self._texts[key] for key, noted_at in reversed(self._noted_at.items()) if noted_at >= since]

    def _forget_one(self, now: float) -> bool:
        """Forget the notice that was not noted for longest, if that is over an hour ago. Return whether it was."""
        key, noted_at = next(iter(self._noted_at.items()))
        if now - noted_at < _FORGOTTEN_SECONDS:
            return False
        del self._noted_at[key], self._texts[key]
        return True
