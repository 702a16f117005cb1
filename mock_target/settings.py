"""What one mock target is started with."""

from dataclasses import dataclass

from mock_target.arrivals import DEFAULT_LOG_SIZE
from mock_target.latency import parse_latency

DEFAULT_LATENCY = "0.05"


@dataclass(frozen=True)
class MockSettings:
    """What one mock target is started with.

    `latency` is the default latency in the grammar of `mock_target.latency`; `seed` makes its draws the same in every
    run (None: different each time); `log_size` is how many arrivals are kept, 1 or more (create_app refuses others).
    Raises LatencyError.
    """

    latency: str = DEFAULT_LATENCY
    seed: int | None = None
    log_size: int = DEFAULT_LOG_SIZE

    def __post_init__(self) -> None:
        parse_latency(self.latency)
