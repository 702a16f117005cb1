"""What the page says at each picture: what it comes to, and what to look for. Pure."""

from statistics import median_low

from loadtests.metrics import (
    MOST_DRAWN_INVERSIONS,
    PARTS,
    PRIORITIES,
    count_places,
    say_places,
    say_ratio,
    say_seconds,
    summarise,
)
from loadtests.oracle import Comparison, ScenarioResult

WAITS = (
    "The further left a curve is, the shorter were the waits. Dashed: the same moments at the target handed out in the "
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


def say_places_gained(scenario: ScenarioResult) -> str:
    """Say how far high and low moved, as medians."""
    places = count_places(scenario.passages)
    medians = []
    for priority in PRIORITIES:
        ids = (one.sent.request_id for one in scenario.passages if one.sent.priority == priority)
        own = [places[request_id] for request_id in ids if request_id in places]
        medians.append(f"{priority} {say_places(median_low(own))}" if own else f"no {priority}")
    return f"Places in line, gained or lost: {', '.join(medians)} (median)"


def say_waits(scenario: ScenarioResult) -> str:
    """Say how long high and low waited, as medians."""
    medians = (
        f"{priority} {say_seconds(summarise(scenario.passages, priority).median_seconds)}" for priority in PRIORITIES
    )
    return f"Median wait: {', '.join(medians)}"


def say_ratios(comparison: Comparison) -> str:
    """Say how many times as long as by theory each priority waited."""
    ratios = (f"{waits.priority} {say_ratio(waits.ratio)}" for waits in (comparison.high, comparison.low))
    return f"Beside theory: {', '.join(ratios)} as long"


def caption_places(scenario: ScenarioResult) -> str:
    """Say what the marks are, and the rings if there are any."""
    caption = (
        "Each mark is a request. Those above the line reached the target before requests that had been sent earlier; "
        "in a queue without priorities all marks would lie on the line."
    )
    count = len(scenario.order.inversions)
    if not count:
        return caption
    drawn = "" if count <= MOST_DRAWN_INVERSIONS else f" Of {count} the first {MOST_DRAWN_INVERSIONS} are drawn."
    return (
        f"{caption} Ringed is each low request that reached the target while a high one waited, "
        f"with a line to the high one that waited longest.{drawn}"
    )


def caption_crossings(scenario: ScenarioResult) -> str:
    """Say what the lines are, and the rims if there are any."""
    caption = (
        "Each line is a request on its way to the target, of a few dozen that arrived one after another. "
        "Where lines cross, the steeper one overtook the other."
    )
    if scenario.order.inversions:
        return f"{caption} Lines with a rim are low requests that reached the target while a high one waited."
    return caption
