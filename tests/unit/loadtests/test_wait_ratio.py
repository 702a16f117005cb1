"""The ratio and its interval: every source of uncertainty widens it."""

import math
from dataclasses import replace

import pytest

from loadtests.oracle.overheads import CompletedRequest, Overheads, Refill
from loadtests.oracle.wait_ratio import PairedWait, WaitRatio, estimate_ratio, pair_waits

SECONDS = 100
TRANSIT_SECONDS = 0.002


def request(at: float, delay_seconds: float) -> CompletedRequest:
    return CompletedRequest(at, at + delay_seconds, at + delay_seconds + 0.05, "high")


def waited(at: float, ratio: float = 2.0, perfect_seconds: float = 0.01) -> PairedWait:
    return PairedWait(request(at, TRANSIT_SECONDS + ratio * perfect_seconds), perfect_seconds, slope=3.0)


EVEN_WAITS = [waited(float(second)) for second in range(SECONDS)]
EVEN = Overheads(
    slots=8,
    transit_seconds=TRANSIT_SECONDS,
    turnaround_seconds=0.003,
    free=tuple(request(second + 0.5, TRANSIT_SECONDS) for second in range(SECONDS)),
    refills=tuple(Refill(second + 0.7, 0.003) for second in range(SECONDS)),
    utilisation=0.95,
)


def estimate(waits: list[PairedWait] = EVEN_WAITS, overheads: Overheads = EVEN) -> WaitRatio:
    return estimate_ratio(waits, overheads, 0.0, float(SECONDS))


def width(ratio: WaitRatio) -> float:
    return ratio.interval[1] - ratio.interval[0]


def test_without_any_scatter_there_is_no_doubt() -> None:
    """If all batches have the same ratio, that is the result, and the interval has no width."""
    ratio = estimate()

    assert ratio.value == pytest.approx(2)
    assert width(ratio) == pytest.approx(0, abs=1e-9)


def test_doubt_about_waits_shows() -> None:
    """If requests waited for longer in one part of the run than in another, the interval has a width."""
    waits = [waited(float(second), ratio=1 + second / SECONDS) for second in range(SECONDS)]

    ratio = estimate(waits)

    assert ratio.value == pytest.approx(1.495)
    assert width(ratio) > 0.1


def test_doubt_about_transit_shows() -> None:
    """If the ways took longer in one part of the run than in another, the interval has a width."""
    free = tuple(request(one.sent_at, TRANSIT_SECONDS * (0.5 + one.sent_at / SECONDS)) for one in EVEN.free)

    assert width(estimate(overheads=replace(EVEN, free=free))) > 0.01


def test_doubt_about_turnaround_shows() -> None:
    """If turnarounds took longer in one part of the run than in another, the interval has a width."""
    refills = tuple(replace(one, turnaround_seconds=0.003 * (0.5 + one.at / SECONDS)) for one in EVEN.refills)

    assert width(estimate(overheads=replace(EVEN, refills=refills))) > 0.01


def test_requests_outside_the_counted_time_count_for_the_overheads() -> None:
    """Requests that found a slot free before or after the counted time count for transit."""
    free = tuple(replace(one, sent_at=one.sent_at - SECONDS, arrived_at=one.arrived_at - SECONDS) for one in EVEN.free)

    assert estimate(overheads=replace(EVEN, free=free)).value == pytest.approx(2)


def test_without_waits_there_is_no_ratio() -> None:
    """If no request waits in the perfect queue, the ratio is NaN and the interval infinite."""
    ratio = estimate([waited(float(second), perfect_seconds=0.0) for second in range(SECONDS)])

    assert math.isnan(ratio.value)
    assert ratio.interval == (0.0, math.inf)


def test_all_waiting_in_one_part_is_a_ratio_without_confidence() -> None:
    """If all waits are in the same part of the run, the scatter is unknown."""
    waits = [waited(float(second), perfect_seconds=0.01 if second < 3 else 0.0) for second in range(SECONDS)]

    ratio = estimate(waits)

    assert ratio.value == pytest.approx(2)
    assert ratio.interval == (0.0, math.inf)


def test_the_double_waits_for_the_slot_time_and_the_turnaround() -> None:
    """In the perfect queue a slot is held for a turnaround longer than the target works, and that is its slope."""
    overheads = replace(EVEN, slots=1)
    requests = [
        CompletedRequest(10.0, 11.0, 15.0, "high"),
        CompletedRequest(12.0, 16.0, 20.0, "low"),
        CompletedRequest(13.0, 21.0, 25.0, "low"),
    ]

    doubles = pair_waits(requests, overheads)

    assert [one.perfect_seconds for one in doubles] == pytest.approx([0.0, 2.003, 5.006])
    assert [one.slope for one in doubles] == pytest.approx([0.0, 1.0, 2.0])
