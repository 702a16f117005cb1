"""How long an answer waits: a small grammar, and the three kinds of latency it describes.

    0.05                 always 0.05 seconds (short for fixed:0.05)
    fixed:0.05           always 0.05 seconds
    uniform:0.01,0.2     anywhere from 0.01 to 0.2 seconds, all equally likely
    lognormal:0.05,0.5   half the draws below 0.05 seconds, with a long tail; sigma 0.5 says how long

Pure: a draw takes the source of randomness as an argument, so that a seeded one gives the same draws again.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random

# An hour: longer than any timeout worth testing, short enough that a slip does not hold a test run for ever.
MAX_LATENCY_SECONDS = 3600.0
# exp(10) is a factor of 22,000 for one standard deviation: beyond that every draw is either nothing or the maximum.
MAX_SIGMA = 10.0

GRAMMAR = "seconds like 0.05, or fixed:0.05, uniform:0.01,0.2 (low, high) or lognormal:0.05,0.5 (median, sigma)"

# Stricter than float(), which also takes "nan", "inf", "1_0" and digits of other scripts.
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


class LatencyError(ValueError):
    """Says that a text is no latency: `given` is the text, `mend` is what is wrong and what would be right."""

    def __init__(self, given: str, mend: str) -> None:
        super().__init__(f"{given!r} is not a latency: {mend}")
        self.given = given
        self.mend = mend


def _require_seconds(name: str, seconds: float) -> None:
    if not 0 <= seconds <= MAX_LATENCY_SECONDS:
        raise ValueError(f"{name} must be from 0 to {MAX_LATENCY_SECONDS:g} seconds")


@dataclass(frozen=True)
class Fixed:
    """Waits the same number of seconds each time: 0 to 3600, else ValueError."""

    seconds: float

    def __post_init__(self) -> None:
        _require_seconds("the latency", self.seconds)

    def draw(self, random: Random) -> float:
        """Give the seconds to wait."""
        return self.seconds

    def __str__(self) -> str:
        return f"fixed:{self.seconds}"


@dataclass(frozen=True)
class Uniform:
    """Waits from `low_seconds` to `high_seconds`, all equally likely: 0 <= low <= high <= 3600, else ValueError."""

    low_seconds: float
    high_seconds: float

    def __post_init__(self) -> None:
        _require_seconds("low", self.low_seconds)
        _require_seconds("high", self.high_seconds)
        if self.low_seconds > self.high_seconds:
            raise ValueError("low must not be above high")

    def draw(self, random: Random) -> float:
        """Give the seconds to wait."""
        return min(random.uniform(self.low_seconds, self.high_seconds), self.high_seconds)

    def __str__(self) -> str:
        return f"uniform:{self.low_seconds},{self.high_seconds}"


@dataclass(frozen=True)
class Lognormal:
    """Waits around `median_seconds` with a long tail; no draw is above 3600 seconds.

    The median is above 0 and at most 3600 seconds; sigma, the standard deviation of the logarithm, is from 0 to 10.
    Anything else raises ValueError.
    """

    median_seconds: float
    sigma: float

    def __post_init__(self) -> None:
        _require_seconds("the median", self.median_seconds)
        if self.median_seconds == 0:
            raise ValueError("the median must be above 0 seconds")
        if not 0 <= self.sigma <= MAX_SIGMA:
            raise ValueError(f"sigma must be from 0 to {MAX_SIGMA:g}")

    def draw(self, random: Random) -> float:
        """Give the seconds to wait."""
        return min(random.lognormvariate(math.log(self.median_seconds), self.sigma), MAX_LATENCY_SECONDS)

    def __str__(self) -> str:
        return f"lognormal:{self.median_seconds},{self.sigma}"


Latency = Fixed | Uniform | Lognormal


@dataclass(frozen=True)
class _Kind:
    make: Callable[..., Latency]
    number_count: int
    numbers: str
    example: str


_KINDS = {
    "fixed": _Kind(Fixed, len(fields(Fixed)), "one number, the seconds", "fixed:0.05"),
    "uniform": _Kind(Uniform, len(fields(Uniform)), "two numbers, low and high seconds", "uniform:0.01,0.2"),
    "lognormal": _Kind(
        Lognormal, len(fields(Lognormal)), "two numbers, median seconds and sigma", "lognormal:0.05,0.5"
    ),
}


def parse_latency(text: str) -> Latency:
    """Read a latency written in the grammar above; `str()` of the result is that grammar again.

    Raises LatencyError, which says what was given and what would be right.
    """
    name, colon, numbers = text.partition(":")
    if not colon:
        name, numbers = "fixed", text
    kind = _KINDS.get(name.strip())
    if kind is None:
        raise LatencyError(text, f"there is no kind {name.strip()!r}; write {GRAMMAR}")
    right = f"write {kind.example if colon else GRAMMAR}"
    parts = [part.strip() for part in numbers.split(",")]
    for part in parts:
        if not _NUMBER.fullmatch(part):
            raise LatencyError(text, f"{part!r} is not a plain decimal number; {right}")
    if len(parts) != kind.number_count:
        raise LatencyError(text, f"{name.strip()} takes {kind.numbers}; {right}")
    try:
        return kind.make(*map(float, parts))
    except ValueError as error:
        raise LatencyError(text, f"{error}; {right}") from error
