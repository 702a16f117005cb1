"""Values of several rounds: their order, their median and spread, and ratios within a round."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Item = TypeVar("Item")
_DASH = "–"  # noqa: RUF001 - the typographic sign is meant
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of the same quantity, one of each round. Create it with `of`, which drops NaN and infinity."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of the finite values."""
        return cls(tuple(value for value in values if math.isfinite(value)))

    @property
    def median(self) -> float:
        """Return the median; NaN without values."""
        return median(self.values) if self.values else math.nan

    def format(self, form: Callable[[float], str]) -> str:
        """Return the median, with minimum and maximum in brackets if there are several values."""
        if not self.values:
            return NOT_MEASURED
        middle = form(self.median)
        if len(self.values) == 1:
            return middle
        return f"{middle} ({form(min(self.values))}{_DASH}{form(max(self.values))})"


def ratios(values: Sequence[float], bases: Sequence[float]) -> Spread:
    """Return value / base of each round, without the rounds where one is NaN or the base is 0.

    Raises ValueError if there are not as many bases as values.
    """
    pairs = zip(values, bases, strict=True)
    return Spread.of([value / base if base else math.nan for value, base in pairs])


def rotate(items: Sequence[Item], round_number: int) -> list[Item]:
    """Return the items, rotated by the number of the round, so that no item is always the first."""
    first = round_number % len(items) if items else 0
    return [*items[first:], *items[:first]]
