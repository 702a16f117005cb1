"""Headings and captions of the pictures. Pure."""

from statistics import median_low

from loadtests.metrics import (
    MAX_DRAWN_INVERSIONS,
    PARTS,
    PRIORITIES,
    count_places,
    format_places,
    format_ratio,
    format_seconds,
    summarise,
)
from loadtests.oracle import Comparison, ScenarioResult

WAITS = (
    "The further left a curve is, the shorter were the waits. Dashed: the same arrival times at the target in the "
    "order of sending, as a queue without priorities does."
)
LOAD = (
    "High requests have something to overtake only while low ones wait and all slots are in use. "
    f"Lines are the most within each of {PARTS} equal parts of the run, the grey area is the mean."
)
COMPARISON = (
    "Full marks are this gateway, open ones what to compare it with: the perfect queue had the same requests at the "
    "same times, theory knows only how many came. The bar is the range of 95 % confidence."
)


def describe_places(scenario: ScenarioResult) -> str:
    """Return how many places high and low gained or lost, as medians."""
    places = count_places(scenario.traces)
    medians = []
    for priority in PRIORITIES:
        ids = (one.sent.request_id for one in scenario.traces if one.sent.priority == priority)
        own = [places[request_id] for request_id in ids if request_id in places]
        medians.append(f"{priority} {format_places(median_low(own))}" if own else f"no {priority}")
    return f"Places in line, gained or lost: {', '.join(medians)} (median)"


def describe_waits(scenario: ScenarioResult) -> str:
    """Return how long high and low waited, as medians."""
    medians = (
        f"{priority} {format_seconds(summarise(scenario.traces, priority).median_seconds)}" for priority in PRIORITIES
    )
    return f"Median wait: {', '.join(medians)}"


def describe_ratios(comparison: Comparison) -> str:
    """Return the ratio of measured to theoretical waits of each priority."""
    ratios = (f"{waits.priority} {format_ratio(waits.ratio)}" for waits in (comparison.high, comparison.low))
    return f"Compared with theory: {', '.join(ratios)} as long"


def caption_places(scenario: ScenarioResult) -> str:
    """Return what the marks mean, and the rings if there are any."""
    caption = (
        "Each mark is a request. Those above the line reached the target before requests that had been sent earlier; "
        "in a queue without priorities all marks would lie on the line."
    )
    count = len(scenario.order.inversions)
    if not count:
        return caption
    drawn = "" if count <= MAX_DRAWN_INVERSIONS else f" Of {count} the first {MAX_DRAWN_INVERSIONS} are drawn."
    return (
        f"{caption} Ringed is each low request that reached the target while a high one waited, "
        f"with a line to the high one that waited longest.{drawn}"
    )


def caption_crossings(scenario: ScenarioResult) -> str:
    """Return what the lines mean, and the rims if there are any."""
    caption = (
        "Each line is a request on its way to the target, of a few dozen that arrived one after another. "
        "Where lines cross, the steeper one overtook the other."
    )
    if scenario.order.inversions:
        return f"{caption} Lines with a rim are low requests that reached the target while a high one waited."
    return caption
