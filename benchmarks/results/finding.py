"""A measured value beside its bound."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.results.spread import Spread


@dataclass(frozen=True, slots=True)
class Finding:
    """One measurement and its bound, as text."""

    label: str
    bound: str
    measured: str
    holds: bool | None
    """Whether the bound holds; None if there is no bound, or if nothing was measured."""

    @property
    def verdict(self) -> str:
        """Return PASS, FAIL or an empty string."""
        return "" if self.holds is None else "PASS" if self.holds else "FAIL"


def at_least(label: str, least: float, spread: Spread, form: Callable[[float], str]) -> Finding:
    """Return a finding whose median must not be below a bound."""
    holds = spread.median >= least if spread.values else None
    return Finding(label, f"≥ {form(least)}", spread.format(form), holds)


def at_most(label: str, most: float, spread: Spread, form: Callable[[float], str]) -> Finding:
    """Return a finding whose median must not be above a bound."""
    holds = spread.median <= most if spread.values else None
    return Finding(label, f"≤ {form(most)}", spread.format(form), holds)


def informational(label: str, spread: Spread, form: Callable[[float], str]) -> Finding:
    """Return a finding without a bound."""
    return Finding(label, "", spread.format(form), None)


def without_bound(finding: Finding) -> Finding:
    """Return the finding as an informational one."""
    return replace(finding, bound="", holds=None)
