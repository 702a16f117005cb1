"""How a worker ends when it gets a stop signal (SIGTERM or SIGINT).

    SERVING ── a stop signal ──> DRAINING ── another one, over a second later ──> STOPPING

While DRAINING it claims nothing more and finishes what is in flight. When STOPPING, it ends at once. A pool and a
terminal may both send a signal at the same time, so two signals within a second count as one.
"""

import enum
import logging
import time
from collections.abc import Callable

logger = logging.getLogger("rq.worker")

_ONE_SIGNAL_SECONDS = 1.0


class DrainState(enum.Enum):
    """Whether a worker has to end."""

    SERVING = "serving"
    DRAINING = "draining"
    STOPPING = "stopping"


class Drain:
    """The draining of one worker. `on_change` is called after each change of `state`, with the new one."""

    def __init__(self, on_change: Callable[[DrainState], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.state = DrainState.SERVING
        self._on_change = on_change
        self._clock = clock
        self._began_at = 0.0

    def __repr__(self) -> str:
        return f"<Drain: {self.state.value} for {self.seconds:.1f} s>"

    @property
    def seconds(self) -> float:
        """For how long the worker has been draining; 0 before that."""
        return 0.0 if self.state is DrainState.SERVING else self._clock() - self._began_at

    def on_stop_signal(self) -> None:
        """Take a stop signal."""
        match self.state:
            case DrainState.SERVING:
                self._began_at = self._clock()
                self._move_to(DrainState.DRAINING)
            case DrainState.DRAINING if self.seconds > _ONE_SIGNAL_SECONDS:
                self._move_to(DrainState.STOPPING)

    def _move_to(self, state: DrainState) -> None:
        self.state = state
        self._on_change(state)
