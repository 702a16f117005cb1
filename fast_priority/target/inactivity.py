"""How long the target may say nothing: counted only while we wait for it, and it for nobody."""

from collections.abc import Callable

from fast_priority.errors import TargetTimeout
from fast_priority.support.timeout_queue import TimeoutQueue


class InactivityTimer:
    """One request's. `give_up` is called when the target is silent for too long: `deadlines` tell it by `lose`."""

    __slots__ = ("_deadlines", "_give_up", "_is_awaited", "_waits_for_body")

    def __init__(self, deadlines: "TimeoutQueue[InactivityTimer]", give_up: Callable[[TargetTimeout], None]) -> None:
        self._deadlines = deadlines
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
        self._give_up(TargetTimeout(f"it was silent for {self._deadlines.seconds:g} s"))

    def _count(self) -> None:
        if self._is_awaited and not self._waits_for_body:
            self._deadlines.begin(self)
        else:
            self._deadlines.end(self)
