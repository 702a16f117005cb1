"""The latency of a response: a small grammar, and the five kinds of latency it describes.

    0.05                 always 0.05 seconds (short for fixed:0.05)
    fixed:0.05           always 0.05 seconds
    uniform:0.01,0.2     anywhere from 0.01 to 0.2 seconds, all equally likely
    jitter:0.2,0.05      0.2 seconds, plus or minus up to 0.05, all equally likely
    lognormal:0.05,0.5   median 0.05 seconds, with a long tail; sigma 0.5 says how long
    exponential:0.05     0.05 seconds on average, as the service times of queueing theory's M/M/c are

Pure: a latency is defined by its quantiles. One random number from 0 to 1 gives one latency for every kind (inverse
transform sampling), so that two runs with one seed can be compared although their latencies differ in kind.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from statistics import NormalDist

from mock_target.settings.value_parsers import MAX_SECONDS, parse_number

# exp(10) is a factor of 22,000 for one standard deviation: above that every draw is either about 0 or the maximum.
MAX_SIGMA = 10.0
# A share of exactly 0 has no quantile in a normal distribution; this is below the smallest that random() gives.
_SMALLEST_SHARE = 2.0**-54

_NORMAL = NormalDist()

GRAMMAR = (
    "seconds like 0.05, or fixed:0.05, uniform:0.01,0.2 (low, high), jitter:0.2,0.05 (middle, plus or minus), "
    "lognormal:0.05,0.5 (median, sigma) or exponential:0.05 (mean)"
)


def _require_seconds(name: str, seconds: float) -> None:
    if not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"{name} must be from 0 to {MAX_SECONDS:g} seconds")


def _require_positive_seconds(name: str, seconds: float) -> None:
    _require_seconds(name, seconds)
    if seconds == 0:
        raise ValueError(f"{name} must be above 0 seconds")


@dataclass(frozen=True, slots=True)
class Fixed:
    """Waits the same number of seconds each time: 0 to 3600, else ValueError."""

    seconds: float

    def __post_init__(self) -> None:
        _require_seconds("the latency", self.seconds)

    def quantile_seconds(self, share: float) -> float:
        """Return the seconds that a share (0 <= share < 1) of the waits stay below."""
        return self.seconds

    def __str__(self) -> str:
        return f"fixed:{self.seconds}"


@dataclass(frozen=True, slots=True)
class Uniform:
    """Waits from `low_seconds` to `high_seconds`, all equally likely: 0 <= low <= high <= 3600, else ValueError."""

    low_seconds: float
    high_seconds: float

    def __post_init__(self) -> None:
        _require_seconds("low", self.low_seconds)
        _require_seconds("high", self.high_seconds)
        if self.low_seconds > self.high_seconds:
            raise ValueError("low must not be above high")

    def quantile_seconds(self, share: float) -> float:
        """Return the seconds that a share (0 <= share < 1) of the waits stay below."""
        return min(self.low_seconds + (self.high_seconds - self.low_seconds) * share, self.high_seconds)

    def __str__(self) -> str:
        return f"uniform:{self.low_seconds},{self.high_seconds}"


@dataclass(frozen=True, slots=True)
class Jitter:
    """Waits `seconds`, plus or minus up to `jitter_seconds`, all equally likely; never below 0 or above 3600 seconds.

    Both are from 0 to 3600, else ValueError.
    """

    seconds: float
    jitter_seconds: float

    def __post_init__(self) -> None:
        _require_seconds("the middle", self.seconds)
        _require_seconds("the jitter", self.jitter_seconds)

    def quantile_seconds(self, share: float) -> float:
        """Return the seconds that a share (0 <= share < 1) of the waits stay below."""
        return min(max(0.0, self.seconds + self.jitter_seconds * (2 * share - 1)), MAX_SECONDS)

    def __str__(self) -> str:
        return f"jitter:{self.seconds},{self.jitter_seconds}"


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Waits around `median_seconds` with a long tail; never above 3600 seconds.

    The median is above 0 and at most 3600 seconds; sigma, the standard deviation of the logarithm, is from 0 to 10.
    Anything else raises ValueError.
    """

    median_seconds: float
    sigma: float

    def __post_init__(self) -> None:
        _require_positive_seconds("the median", self.median_seconds)
        if not 0 <= self.sigma <= MAX_SIGMA:
            raise ValueError(f"sigma must be from 0 to {MAX_SIGMA:g}")

    def quantile_seconds(self, share: float) -> float:
        """Return the seconds that a share (0 <= share < 1) of the waits stay below."""
        deviations = _NORMAL.inv_cdf(max(share, _SMALLEST_SHARE))
        return min(self.median_seconds * math.exp(self.sigma * deviations), MAX_SECONDS)

    def __str__(self) -> str:
        return f"lognormal:{self.median_seconds},{self.sigma}"


@dataclass(frozen=True, slots=True)
class Exponential:
    """Waits `mean_seconds` on average, exponentially distributed; never above 3600 seconds.

    The mean is above 0 and at most 3600 seconds, else ValueError.
    """

    mean_seconds: float

    def __post_init__(self) -> None:
        _require_positive_seconds("the mean", self.mean_seconds)

    def quantile_seconds(self, share: float) -> float:
        """Return the seconds that a share (0 <= share < 1) of the waits stay below."""
        return min(-self.mean_seconds * math.log1p(-share), MAX_SECONDS)

    def __str__(self) -> str:
        return f"exponential:{self.mean_seconds}"


Latency = Fixed | Uniform | Jitter | Lognormal | Exponential


@dataclass(frozen=True, slots=True)
class _Kind:
    make: Callable[..., Latency]
    number_count: int
    numbers: str
    example: str


_KINDS = {
    "fixed": _Kind(Fixed, len(fields(Fixed)), "one number, the seconds", "fixed:0.05"),
    "uniform": _Kind(Uniform, len(fields(Uniform)), "two numbers, low and high seconds", "uniform:0.01,0.2"),
    "jitter": _Kind(Jitter, len(fields(Jitter)), "two numbers, seconds and plus or minus", "jitter:0.2,0.05"),
    "lognormal": _Kind(
        Lognormal, len(fields(Lognormal)), "two numbers, median seconds and sigma", "lognormal:0.05,0.5"
    ),
    "exponential": _Kind(Exponential, len(fields(Exponential)), "one number, the mean seconds", "exponential:0.05"),
}


def parse_latency(text: str) -> Latency:
    """Parse a latency in the grammar above; `str()` of the result is in that grammar again.

    Raises ValueError, which says what is wrong and what to write instead.
    """
    name, colon, numbers = text.partition(":")
    if not colon:
        name, numbers = "fixed", text
    kind = _KINDS.get(name.strip())
    if kind is None:
        raise ValueError(f"there is no kind {name.strip()!r}; write {GRAMMAR}")
    right = f"write {kind.example if colon else GRAMMAR}"
    try:
        values = [parse_number(part.strip()) for part in numbers.split(",")]
    except ValueError as error:
        raise ValueError(f"{error}; {right}") from None
    if len(values) != kind.number_count:
        raise ValueError(f"{name.strip()} takes {kind.numbers}; {right}")
    try:
        return kind.make(*values)
    except ValueError as error:
        raise ValueError(f"{error}; {right}") from None
