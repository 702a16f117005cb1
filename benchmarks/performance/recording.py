"""Keeps every figure of a part, and says of each that came with errors that it does not count. Pure, but for stderr."""

import math
import sys
from dataclasses import replace

from benchmarks.load.wrk import Loaded
from benchmarks.results.findings import Report


def record(report: Report, seen: Loaded, **place: str | int) -> Loaded:
    """Note what was seen, where and in which round; give it back, without its figures if there were errors."""
    report.raw.append({"part": report.part, **place, **seen.raw()})
    where = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in place.items())
    tell(f"{report.part}: {where}: {seen.per_second:,.0f}/s, median {seen.median_ms:.2f} ms, {seen.errors} errors")
    if not seen.errors:
        return seen
    report.errors.append(f"{report.part}, {where}: {seen.errors} requests failed, so this figure does not count")
    return replace(seen, seconds=math.nan, median_ms=math.nan, p99_ms=math.nan)


def tell(line: str) -> None:
    """Say on stderr how far the measurements are."""
    print(line, file=sys.stderr, flush=True)
