"""What changes while a mock runs: the settings in force, the source of its draws, who works, and what arrived."""

from random import Random
from time import time

import msgspec

from mock_target.settings import Draws, MockSettings, Settings, draw
from mock_target.state.arrival_log import Arrival, ArrivalLog
from mock_target.state.concurrency_limiter import Limiter

_encoder = msgspec.json.Encoder()


class Report(msgspec.Struct):
    """What arrived, oldest first, and the counts since the last reset.

    `dropped` arrivals are no longer kept. `in_flight` counts from the head of a request to its end, `working` those of
    them that have a turn under the limit; `max_` is the most of them at once. `now` is unix seconds.
    """

    arrivals: list[Arrival]
    total: int
    dropped: int
    in_flight: int
    max_in_flight: int
    working: int
    max_working: int
    queued: int
    rejected: int
    now: float


class MockState:
    """The state of one mock. Raises ValueError for a log size below 1."""

    def __init__(self, started_with: MockSettings) -> None:
        self.started_with = started_with
        self.settings = started_with.settings
        self.arrivals = ArrivalLog(started_with.log_size)
        self.limiter = Limiter(*_limits(self.settings))
        self._random = self._make_random()

    def draw(self) -> Draws:
        """Draw the numbers of the next arrival."""
        return draw(self._random)

    def change(self, settings: Settings) -> None:
        """Put other settings in force, for the requests that arrive from now on; the limit for all at once."""
        self.settings = settings
        self.limiter.change(*_limits(settings))

    def forget_arrivals(self) -> None:
        """Empty the log, and start all counts and high-water marks again."""
        self.arrivals.reset()
        self.limiter.forget()

    def reset(self) -> None:
        """Make all as at the start: settings, draws, log and counts."""
        self.change(self.started_with.settings)
        self._random = self._make_random()
        self.forget_arrivals()

    def tell(self, last: int | None) -> bytes:
        """Give the counts and the last so many arrivals (None: all that are kept) as JSON."""
        log, limiter = self.arrivals, self.limiter
        since = 0 if last is None else log.total - last
        return _encoder.encode(
            Report(
                arrivals=log.read_after(since, log.total),
                total=log.total,
                dropped=log.dropped,
                in_flight=log.in_flight,
                max_in_flight=log.max_in_flight,
                working=limiter.working,
                max_working=limiter.max_working,
                queued=limiter.queued,
                rejected=limiter.rejected,
                now=time(),
            )
        )

    def _make_random(self) -> Random:
        return Random(self.started_with.seed)  # noqa: S311 - a latency is no secret, and has to repeat under a seed


def _limits(settings: Settings) -> tuple[int | None, int]:
    return settings.behaviour.limit, settings.behaviour.max_queued or 0
