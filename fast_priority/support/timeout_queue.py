"""Timeouts of equal length for many keys, with one timer for all of them.

A timer for each key would cost more than the work that it guards: nearly all of them are cancelled long before they
expire. Since all keys of a queue have the same time, the key that began first expires first. A dictionary keeps them in
that order, and only its first entries are looked at.
"""

import logging
import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fast_priority.support.stalls import ReadFirstTimer

logger = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)


class TimeoutQueue(Generic[Key]):
    """Calls `expire` once with each key that began `seconds` ago and has not ended since.

    To begin and to end a key is O(1). After the loop stood still, what has arrived is read first (`stalls.py`): it may
    be what a key waits for. A queue belongs to the event loop on which its first key begins.
    """

    def __init__(self, seconds: float, expire: Callable[[Key], object]) -> None:
        self.seconds = seconds
        self._expire = expire
        self._due: dict[Key, float] = {}  # in the order in which they expire
        self._timer = ReadFirstTimer(self._expire_overdue)

    def __len__(self) -> int:
        return len(self._due)

    @property
    def oldest(self) -> Key | None:
        """Return the key that expires next; None if there is none."""
        return next(iter(self._due), None)

    def begin(self, key: Key) -> None:
        """Let a key expire `seconds` from now, also one that began before. Must be called on the event loop."""
        self._due.pop(key, None)
        self._due[key] = due = self._timer.now() + self.seconds
        if not self._timer.is_running:
            self._timer.start(due)

    def end(self, key: Key) -> None:
        """Let a key expire no more; if it has not begun, or has expired, do nothing."""
        self._due.pop(key, None)

    def shorten(self, seconds: float) -> None:
        """Let each key expire `seconds` from now, and those that begin later after `seconds`, unless it is longer."""
        self.seconds = min(self.seconds, seconds)
        if self._due:
            due = self._timer.now() + self.seconds
            self._due = dict.fromkeys(self._due, due)
            self._timer.start(due)

    def close(self) -> None:
        """Let no key expire any more."""
        self._due.clear()
        self._timer.cancel()

    def _expire_overdue(self, now: float) -> None:
        overdue = []
        for key, due in self._due.items():
            if due > now:
                self._timer.start(due)
                break
            overdue.append(key)
        for key in overdue:
            if self._due.get(key, math.inf) > now:
                continue  # ended, or begun again, by a key before it
            del self._due[key]
            try:
                self._expire(key)
            except Exception:  # the other keys are overdue all the same
                logger.exception("%r, which is overdue", key)
