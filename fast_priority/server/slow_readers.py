"""Clients that have yet to take what they were sent: the bytes are in this process, as the system takes no more.

From time to time all of them are looked at (`connection_clocks.py`). What the client has taken is asked of the system:
it takes bytes from this process in large steps, so that a slow client would look like one that takes nothing.
"""

import logging
from typing import Protocol

from fast_priority.http.client_patience import ClientTimeout
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

LONGEST_LOOK_SECONDS = 1.0
_SHORTEST_LOOK_SECONDS = 0.05
_LOOKS_WITHIN_A_WAIT = 4
_LATEST_LOOK = 2  # in intervals between two looks
_broken_off = OutageLog("broke off a connection, as its client does not take what it was sent", logger)


def look_seconds(wait_seconds: float) -> float:
    """Return how often to look at what may wait for so long."""
    return min(max(wait_seconds / _LOOKS_WITHIN_A_WAIT, _SHORTEST_LOOK_SECONDS), LONGEST_LOOK_SECONDS)


class Taker(Protocol):
    """A connection whose client is to take something."""

    def taken_bytes(self) -> int:
        """Return how many bytes the client has taken since the connection began; never fewer than before."""

    def reset(self) -> None:
        """End the connection at once: no response would get there, and no error."""


class Taking:
    """The patience with the client of one connection, for all that it is to take."""

    def __init__(self, taker: Taker, patience: ClientTimeout) -> None:
        self._taker = taker
        self._patience = patience
        self._taken_bytes = 0

    def is_over_after(self, waited_seconds: float) -> bool:
        """Count for how long the client was waited for since the last look; return whether that was too long."""
        taken_bytes = self._taker.taken_bytes()
        self._patience.count(waited_seconds, taken_bytes - self._taken_bytes)
        self._taken_bytes = taken_bytes
        return self._patience.is_over

    def run_out(self) -> None:
        """The patience is over."""
        _broken_off.failure(f"it took {self._patience}")
        self._taker.reset()


class SlowReaders:
    """All connections with unsent bytes, each with `seconds` of patience."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._counted_until: dict[Taking, float] = {}

    def __len__(self) -> int:
        return len(self._counted_until)

    def begin(self, taking: Taking, now_seconds: float) -> None:
        """From now on the client is waited for; if it is already, nothing changes."""
        self._counted_until.setdefault(taking, now_seconds)

    def end(self, taking: Taking) -> None:
        """The client has taken all, or is gone; if it is not waited for, nothing changes."""
        self._counted_until.pop(taking, None)

    def overdue(self, now_seconds: float) -> list[Taking]:
        """Look at all; return those whose patience is over."""
        # A look that is late means that this process stood still, and has not sent what the clients could have taken.
        most_seconds = _LATEST_LOOK * look_seconds(self.seconds)
        found = []
        for taking, counted_until in self._counted_until.items():
            if taking.is_over_after(min(now_seconds - counted_until, most_seconds)):
                found.append(taking)
            self._counted_until[taking] = now_seconds
        return found
