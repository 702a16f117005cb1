"""What the measurements come to: medians of ratios, their spread, and whether a bound holds. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, TypeVar

Item = TypeVar("Item")
_DASH = "–"  # noqa: RUF001 - the typographic sign is meant
NOTHING = "not measured"


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of the same thing, one for each round; those that are no number are left out."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Make one."""
        return cls(tuple(value for value in values if math.isfinite(value)))

    @property
    def median(self) -> float:
        """The value in the middle; NaN if there are none."""
        return median(self.values) if self.values else math.nan

    def shown(self, form: Callable[[float], str]) -> str:
        """Write it: the median, and the least and the most where there are several."""
        if not self.values:
            return NOTHING
        middle = form(self.median)
        if len(self.values) == 1:
            return middle
        return f"{middle} ({form(min(self.values))}{_DASH}{form(max(self.values))})"


def ratios(values: Sequence[float], bases: Sequence[float]) -> Spread:
    """Give value / base for each round; a round in which either does not count, or the base is 0, is left out."""
    pairs = zip(values, bases, strict=True)
    return Spread.of([value / base if base else math.nan for value, base in pairs])


@dataclass(frozen=True, slots=True)
class Finding:
    """One measurement beside what is asked of it. Holds is None where nothing is asked, or nothing was measured."""

    what: str
    asked: str
    seen: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """PASS, FAIL or nothing."""
        return "" if self.holds is None else "PASS" if self.holds else "FAIL"


def at_least(what: str, least: float, seen: Spread, form: Callable[[float], str]) -> Finding:
    """Judge a median that shall not be under a bound."""
    return Finding(what, f"≥ {form(least)}", seen.shown(form), seen.median >= least if seen.values else None)


def at_most(what: str, most: float, seen: Spread, form: Callable[[float], str]) -> Finding:
    """Judge a median that shall not be over a bound."""
    return Finding(what, f"≤ {form(most)}", seen.shown(form), seen.median <= most if seen.values else None)


def shown_only(what: str, seen: Spread, form: Callable[[float], str]) -> Finding:
    """Show a median of which nothing is asked."""
    return Finding(what, "", seen.shown(form), None)


def without_bound(finding: Finding) -> Finding:
    """Show it, with what is asked of the like of it left out."""
    return replace(finding, asked="", holds=None)


@dataclass
class Report:
    """What one part of the measurements gave: findings, tables by name, and every single figure."""

    part: str
    findings: list[Finding] = field(default_factory=list)
    tables: dict[str, str] = field(default_factory=dict)
    raw: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """What went wrong, one line for each figure that therefore does not count."""


def rotated(items: Sequence[Item], turn: int) -> list[Item]:
    """Give the items, beginning with another one in each turn, so that none always goes first."""
    first = turn % len(items) if items else 0
    return [*items[first:], *items[:first]]


def short(value: float) -> str:
    """Two digits that count, or all before the point: 0.00046, 2.7, 13, 9,604."""
    if not math.isfinite(value):
        return _DASH
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def times(value: float) -> str:
    """Write a ratio: 0.00046, 0.973, 2.48, 51."""
    if value >= 1:
        return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.1 else f"{value:.2g}"


def milliseconds(value: float) -> str:
    """Write a time: 0.12 ms, 16.4 ms, 1,250 ms."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"


def percent(value: float) -> str:
    """Write a share: 93.5%, and near the whole, where a tenth is much, 98.96%."""
    return f"{value:.2%}" if value >= 0.98 else f"{value:.1%}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give a table as Markdown; the first column is left, the others right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def findings_table(findings: Sequence[Finding]) -> str:
    """Give what was asked and seen."""
    rows = [(one.what, one.asked, one.seen, one.verdict) for one in findings]
    return table(("", "asked", "median (least to most of the rounds)", ""), rows)
