"""How long the target may say nothing: counted only while we wait for it, and it for nobody.

One timer serves all requests to one target. They all may wait as long, so who began to wait first is overdue first, and
a request that is answered at once costs no timer of its own.
"""

import asyncio
from collections.abc import Callable

from fast_priority.errors import TargetTimeout

_ROUNDING_SECONDS = 0.001  # event loops count in milliseconds


class SilenceClock:
    """Tells whoever has waited for `seconds`. Belongs to one event loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: dict[Patience, float] = {}  # who began first comes first
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None

    def begin(self, patience: "Patience") -> None:
        """Let it wait, from now on."""
        self._since.pop(patience, None)
        self._since[patience] = self._loop.time()
        if self._look is None:
            self._look = self._loop.call_later(self.seconds, self._look_now)

    def end(self, patience: "Patience") -> None:
        """Let it wait no longer, if it does."""
        self._since.pop(patience, None)

    def close(self) -> None:
        """Nobody is told any more."""
        if self._look is not None:
            self._look.cancel()

    def _look_now(self) -> None:
        self._look = None
        begun_before = self._loop.time() - self.seconds + _ROUNDING_SECONDS
        for patience, since in list(self._since.items()):
            if since > begun_before:
                self._look = self._loop.call_at(since + self.seconds, self._look_now)
                return
            del self._since[patience]
            patience.lose()


class Patience:
    """One request's part of it. `give_up` is called when the target has been silent for too long."""

    __slots__ = ("_clock", "_give_up", "_is_awaited", "_waits_for_body")

    def __init__(self, clock: SilenceClock, give_up: Callable[[TargetTimeout], None]) -> None:
        self._clock = clock
        self._give_up = give_up
        self._is_awaited = False
        self._waits_for_body = False

    def await_target(self, is_awaited: bool) -> None:
        """Whether somebody waits for the target to say something; each time anew it has its whole time."""
        self._is_awaited = is_awaited
        self._count()

    def wait_for_body(self, waits: bool) -> None:
        """Whether the target waits for more of the request's body, which whoever sends it has not sent yet."""
        self._waits_for_body = waits
        self._count()

    def lose(self) -> None:
        """The time is over."""
        self._give_up(TargetTimeout(f"it was silent for {self._clock.seconds:g} s"))

    def _count(self) -> None:
        if self._is_awaited and not self._waits_for_body:
            self._clock.begin(self)
        else:
            self._clock.end(self)
