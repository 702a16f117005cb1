"""What one part of docs/evidence/performance.md measured."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.load import LoadResult
from benchmarks.results import Finding
from benchmarks.support import log_progress


@dataclass
class Report:
    """The findings of one part, its tables by the names of their places in the page, and every single figure."""

    part: str
    findings: list[Finding] = field(default_factory=list)
    tables: dict[str, str] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)
    """The rows of docs/evidence/performance.json."""
    errors: list[str] = field(default_factory=list)
    """One line for each figure that does not count, and why."""

    def record(self, result: LoadResult, **labels: str | int) -> LoadResult:
        """Store the result of one run of load, and return it; if it has errors, with NaN for the other values.

        The labels state what was measured and in which round.
        """
        self.figures.append({"part": self.part, **labels, **result.as_dict()})
        where = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in labels.items())
        log_progress(
            f"{self.part}: {where}: {result.per_second:,.0f}/s, median {result.median_ms:.2f} ms, "
            f"{result.errors} errors"
        )
        if not result.errors:
            return result
        self.errors.append(f"{self.part}, {where}: {result.errors} requests failed, so this figure does not count")
        return replace(result, seconds=math.nan, median_ms=math.nan, p99_ms=math.nan)
