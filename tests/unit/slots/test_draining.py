"""How a worker ends: what each stop signal changes, by a clock that only the test moves."""

import pytest

from fast_priority.slots.draining import Drain, DrainState


class Signalled:
    """A worker's draining, and its states one after the other."""

    def __init__(self, *at_seconds: float) -> None:
        self.now = 100.0
        self.states: list[DrainState] = []
        self.drain = Drain(self.states.append, clock=lambda: self.now)
        for seconds in at_seconds:
            self.now = 100.0 + seconds
            self.drain.on_stop_signal()


@pytest.mark.parametrize(
    ("at_seconds", "states"),
    [
        ((), []),
        ((0.0,), [DrainState.DRAINING]),
        ((0.0, 0.9), [DrainState.DRAINING]),
        ((0.0, 1.1), [DrainState.DRAINING, DrainState.STOPPING]),
        ((0.0, 0.9, 1.1), [DrainState.DRAINING, DrainState.STOPPING]),
        ((0.0, 5.0, 10.0), [DrainState.DRAINING, DrainState.STOPPING]),
    ],
)
def test_stop_signals(at_seconds: tuple[float, ...], states: list[DrainState]) -> None:
    """The first signal drains, a later one leaves at once, and two within a second count as one."""
    assert Signalled(*at_seconds).states == states


def test_the_time_of_draining() -> None:
    """The time of draining is 0 before the first signal, and runs from then on."""
    signalled = Signalled()
    assert signalled.drain.seconds == 0
    signalled.drain.on_stop_signal()
    signalled.now += 7
    assert signalled.drain.seconds == 7
    assert "draining for 7.0 s" in repr(signalled.drain)
