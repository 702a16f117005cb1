"""The turns of a gateway with slots that were written and not answered."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from fast_priority.broker.producer.submission import SUBMIT_SECONDS
from fast_priority.broker.producer.turn import MOST_TURNS, Turn
from fast_priority.support.timeout_queue import TimeoutQueue


class TurnsInFlight:
    """The turns that have no answer, in their order. `on_overdue` is called with one whose answer takes too long."""

    def __init__(self, on_overdue: Callable[[Turn], None]) -> None:
        self._in_flight: list[Turn] = []
        self._unanswered: list[Turn] = []
        self._numbers = list(range(MOST_TURNS))
        self._answered: asyncio.Event | None = None
        self._overdue: TimeoutQueue[Turn] = TimeoutQueue(SUBMIT_SECONDS, on_overdue)

    @property
    def may_begin(self) -> bool:
        """Whether a new turn may begin: not more than MOST_TURNS, and not before the claims of lost ones are known."""
        return bool(self._numbers) and not self._unanswered

    def overdue_seconds(self) -> float:
        """Return the age of the oldest."""
        oldest = min((turn.asked_at for turn in (*self._in_flight, *self._unanswered)), default=None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    def take_number(self) -> int:
        """Return a number that no other turn has."""
        return self._numbers.pop()

    def free_number(self, number: int) -> None:
        """Note that a turn with this number is over."""
        self._numbers.append(number)

    def add(self, turn: Turn) -> None:
        """Note that a turn is written."""
        self._in_flight.append(turn)
        if not turn.sent:  # with submissions, their own time runs
            self._overdue.begin(turn)

    def remove_first(self) -> Turn:
        """Return the turn that was answered."""
        turn = self._in_flight.pop(0)
        self._overdue.end(turn)
        if self._answered is not None and not self._in_flight:
            self._answered.set()
        return turn

    def remove_last(self) -> None:
        """Note that the last turn was not written."""
        self._overdue.end(self._in_flight.pop())

    def take_all(self) -> list[Turn]:
        """Return all, which are not in flight any more."""
        taken, self._in_flight = self._in_flight, []
        for turn in taken:
            self._overdue.end(turn)
        return taken

    def keep_or_forget(self, turn: Turn, *, has_claims: bool) -> None:
        """Keep a turn without an answer that may have claimed requests; else its number is free again."""
        if has_claims:
            self._unanswered.append(turn)
        else:
            self._numbers.append(turn.number)

    def take_unanswered(self) -> list[Turn]:
        """Return the turns that were kept, the oldest first."""
        taken, self._unanswered = self._unanswered, []
        return taken

    async def wait_until_answered(self, within_seconds: float) -> None:
        """Return when no turn is in flight, or after this time."""
        if self._in_flight:
            self._answered = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(within_seconds):
                    await self._answered.wait()

    def close(self) -> None:
        """Call back no more."""
        self._overdue.close()
