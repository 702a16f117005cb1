"""The state of a running mock: settings in force, random generator, limiter and arrival log."""

from random import Random
from time import monotonic, time

import msgspec

from mock_target.settings import Draws, MockSettings, Settings, draw
from mock_target.state.arrival_log import Arrival, ArrivalLog
from mock_target.state.concurrency_limiter import Limiter

_encoder = msgspec.json.Encoder()


class Report(msgspec.Struct):
    """The arrivals, oldest first, and the counts since the last reset.

    `dropped` arrivals are no longer in the log. `in_flight` counts from the head of a request to its end, `working`
    those of them that hold a permit of the limiter; `max_` is the most of them at once. `now` is unix seconds.
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
        self._load_started_at = monotonic()

    def draw(self) -> Draws:
        """Return the random numbers of the next arrival."""
        return draw(self._random)

    def change(self, settings: Settings) -> None:
        """Apply other settings to the requests that arrive from now on; the limit applies to all.

        Another `load_seconds` begins the loading of the model again.
        """
        if settings.behaviour.load_seconds != self.settings.behaviour.load_seconds:
            self._load_started_at = monotonic()
        self.settings = settings
        self.limiter.change(*_limits(settings))

    def loading_seconds(self) -> float:
        """Return for how long the model has been loading: since the start, a reset or a change of `load_seconds`."""
        return monotonic() - self._load_started_at

    def clear_arrivals(self) -> None:
        """Empty the log, and restart all counts and maximums."""
        self.arrivals.reset()
        self.limiter.reset_counters()

    def reset(self) -> None:
        """Restore the initial state: settings, random draws, log and counts."""
        self.change(self.started_with.settings)
        self._random = self._make_random()
        self._load_started_at = monotonic()
        self.clear_arrivals()

    def to_json(self, last: int | None) -> bytes:
        """Return the counts and the last `last` arrivals (None: all in the log) as JSON."""
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
        return Random(self.started_with.seed)  # noqa: S311 - a latency is no secret, and has to repeat with the same seed


def _limits(settings: Settings) -> tuple[int | None, int]:
    return settings.behaviour.limit, settings.behaviour.max_queued or 0
