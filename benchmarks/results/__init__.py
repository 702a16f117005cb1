"""Statistics over rounds, findings beside their bounds, and how both are printed. All of it is pure."""

from benchmarks.results.finding import Finding, at_least, at_most, informational, without_bound
from benchmarks.results.formats import (
    MEBIBYTE,
    format_mebibytes,
    format_milliseconds,
    format_percent,
    format_ratio,
    two_digits,
)
from benchmarks.results.spread import NOT_MEASURED, Spread, ratios, rotate
from benchmarks.results.tables import bounds_table, findings_table, markdown_table

__all__ = [
    "MEBIBYTE",
    "NOT_MEASURED",
    "Finding",
    "Spread",
    "at_least",
    "at_most",
    "bounds_table",
    "findings_table",
    "format_mebibytes",
    "format_milliseconds",
    "format_percent",
    "format_ratio",
    "informational",
    "markdown_table",
    "ratios",
    "rotate",
    "two_digits",
    "without_bound",
]
