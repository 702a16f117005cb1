"""When a gateway with slots begins its next turn, and whether that turn is likely to find work."""

import asyncio
from collections.abc import Callable

from fast_priority.broker.producer.turn import TurnAnswer


class KnownWork:
    """What a gateway knows of work in the queues, from the last answers."""

    def __init__(self) -> None:
        self.waits = False
        """Whether requests waited in Redis after the last answer."""
        self.may_be_claimed = True
        """Whether a claim is likely to find something."""
        self.calm = asyncio.Event()

    def note_answer(self, answer: TurnAnswer, *, could_take_more: bool) -> None:
        """Note what waits. A claim that found less than there were slots for has taken what this gateway can take."""
        self.waits = answer.waiting > 0
        if self.waits and could_take_more and not answer.is_suspended:
            self.may_be_claimed = True

    def note_free(self, slots: int) -> None:
        """Note how many slots are free."""
        if self.waits or slots <= 0:
            self.calm.clear()
        else:
            self.calm.set()


class Rhythm:
    """Begins turns: with the next step of the event loop, or a short time later."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._is_soon = False
        self._timer: asyncio.TimerHandle | None = None

    def begin_soon(self) -> None:
        """Begin when the callbacks that are ready now have run: what they put goes with the turn."""
        if not self._is_soon:
            self._is_soon = True
            self._loop.call_soon(self._run)

    def begin_within(self, seconds: float) -> None:
        """Begin after this time, unless that is planned already."""
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._run_late)

    def close(self) -> None:
        """Begin no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _run(self) -> None:
        self._is_soon = False
        self._begin()

    def _run_late(self) -> None:
        self._timer = None
        self._begin()
