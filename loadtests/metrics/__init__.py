"""Numbers for reports: waits, places in line, counts over time, and how they are written. Pure."""

from loadtests.metrics.formatting import format_ratio, format_seconds
from loadtests.metrics.places import MAX_DRAWN_INVERSIONS, choose_close_up, count_places, format_places, sort_by_arrival
from loadtests.metrics.summary import PRIORITIES, Summary, list_waits, summarise, wait_without_priorities
from loadtests.metrics.time_series import PARTS, Sample, Span, count_in_flight, count_waiting, find_span, sample

__all__ = [
    "MAX_DRAWN_INVERSIONS",
    "PARTS",
    "PRIORITIES",
    "Sample",
    "Span",
    "Summary",
    "choose_close_up",
    "count_in_flight",
    "count_places",
    "count_waiting",
    "find_span",
    "format_places",
    "format_ratio",
    "format_seconds",
    "list_waits",
    "sample",
    "sort_by_arrival",
    "summarise",
    "wait_without_priorities",
]
