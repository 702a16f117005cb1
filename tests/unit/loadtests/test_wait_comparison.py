"""The verdict on waits: which numbers decide it, and which prove nothing."""

import math
from dataclasses import replace

import pytest

from loadtests.oracle.verdict import Finding, Verdict
from loadtests.oracle.wait_comparison import ENOUGH_UTILISATION, ClassWaits, Comparison
from loadtests.records.traces import Priority


def waits(priority: Priority, ratio: float, half_width: float, perfect_seconds: float) -> ClassWaits:
    """Waits for which theory and the perfect queue agree."""
    return ClassWaits(
        priority=priority,
        requests=1000,
        measured_seconds=ratio * perfect_seconds,
        perfect_seconds=perfect_seconds,
        theory_seconds=perfect_seconds,
        estimated_seconds=ratio * perfect_seconds,
        interval_seconds=((ratio - half_width) * perfect_seconds, (ratio + half_width) * perfect_seconds),
        waited=500,
    )


def run_of(high: float = 1.0, low: float = 1.0, half_width: float = 0.02) -> Comparison:
    """A run with these ratios, in which a transit takes a tenth of the wait of a waiting request."""
    return Comparison(
        slots=8,
        seconds=100.0,
        high_per_second=10.0,
        low_per_second=10.0,
        service_seconds=0.05,
        turnaround_seconds=0.002,
        transit_seconds=0.002,
        utilisation=0.96,
        load=0.8,
        high=waits("high", high, half_width, 0.01),
        low=waits("low", low, half_width, 0.01),
        fifo_seconds=0.01,
        lost=0,
        free=500,
        refills=800,
    )


def judge_waits(run: Comparison) -> Finding:
    (finding,) = [one for one in run.findings() if one.check == "waits"]
    return finding


def judge_busy(run: Comparison) -> Finding:
    (finding,) = [one for one in run.findings() if one.check == "slots busy"]
    return finding


@pytest.mark.parametrize(
    ("high", "low", "half_width", "verdict"),
    [
        (1.00, 1.00, 0.02, Verdict.PROVED),
        (1.04, 0.97, 0.02, Verdict.PROVED),
        (1.04, 0.97, 0.11, Verdict.UNPROVED),
        (1.06, 1.00, 0.02, Verdict.UNPROVED),
        (1.00, 1.06, 0.02, Verdict.UNPROVED),
        (1.08, 1.00, 0.02, Verdict.VIOLATED),
        (1.00, 1.08, 0.02, Verdict.VIOLATED),
        (1.50, 1.00, 0.60, Verdict.UNPROVED),
        (1.50, 0.60, 0.40, Verdict.VIOLATED),
        # Requests that wait may save half of the transit, which is a twentieth of all waits here.
        (0.91, 1.00, 0.02, Verdict.PROVED),
        (0.89, 1.00, 0.02, Verdict.UNPROVED),
        (0.87, 1.00, 0.02, Verdict.VIOLATED),
    ],
)
def test_the_verdict_follows_from_ratio_and_interval(
    high: float, low: float, half_width: float, verdict: Verdict
) -> None:
    """Proved: both ratios fit and are known well; violated: one interval lies outside; else unproved."""
    assert judge_waits(run_of(high, low, half_width)).verdict is verdict


def test_within_is_the_allowed_difference() -> None:
    """A ratio of 1.08 is violated to within 5 %, and proved to within 10 %."""
    run = run_of(high=1.08)

    assert [run.findings(within)[0].verdict for within in (0.05, 0.1)] == [Verdict.VIOLATED, Verdict.PROVED]


def test_an_unproved_run_names_the_time_that_would_do() -> None:
    """An interval four times too wide takes sixteen times as long."""
    assert judge_waits(run_of(half_width=0.2)).reason.endswith("but that may be chance: about 1600 s would be enough")


def test_a_run_without_an_end_to_its_interval_should_just_last_longer() -> None:
    """Without a confidence interval, the reason has no duration."""
    run = run_of()
    run = replace(run, high=replace(run.high, interval_seconds=(0.0, math.inf)))

    finding = judge_waits(run)

    assert finding.verdict is Verdict.UNPROVED
    assert finding.reason.endswith("let it last longer")


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (
            replace(run_of(), low=replace(run_of().low, requests=199)),
            "199 low requests count, and 200 are wanted: let it last longer",
        ),
        (
            replace(run_of(), low=replace(run_of().low, waited=49)),
            "49 low requests had to wait, and 50 are wanted: send more, or let it last longer",
        ),
        (
            replace(run_of(), free=49),
            "49 requests found a slot free, and 50 are wanted to separate transit from waiting: "
            "send less, or let it last longer",
        ),
        (replace(run_of(), load=1.02), "the load was 1.02: with 1 or more the queue grows without limit; send less"),
        (
            replace(run_of(), lost=30),
            "the target never received or never finished 30 requests, and their effect on the queue is not known",
        ),
    ],
)
def test_a_run_with_too_few_requests_proves_nothing(run: Comparison, reason: str) -> None:
    """Too few requests, too few that wait, too few that do not, overload, and losses: unproved, with what to change."""
    finding = judge_waits(run)

    assert (finding.verdict, finding.reason) == (Verdict.UNPROVED, reason)


def test_the_evidence_has_a_line_for_each_class() -> None:
    """What was measured, what the perfect queue did, theory, and the confidence, in milliseconds."""
    assert judge_waits(run_of(high=1.04)).evidence[0] == (
        "high: 10.40 ms measured, 10.00 ms in the perfect queue, 10.00 ms by theory; "
        "1.040 times theory (1.020 to 1.060 with 95 % confidence)"
    )


@pytest.mark.parametrize(
    ("utilisation", "verdict"),
    [(ENOUGH_UTILISATION, Verdict.PROVED), (ENOUGH_UTILISATION - 0.001, Verdict.VIOLATED)],
)
def test_slots_are_busy_from_a_fixed_share_on(utilisation: float, verdict: Verdict) -> None:
    """The share of slot time in use while requests wait decides, and the reason has the turnaround."""
    finding = judge_busy(replace(run_of(), utilisation=utilisation))

    assert finding.verdict is verdict
    assert "after 50.0 ms of service, 2.0 ms until the next one arrived" in finding.reason


@pytest.mark.parametrize("run", [replace(run_of(), refills=49), replace(run_of(), lost=30)])
def test_slots_that_hardly_anybody_waited_for_prove_nothing(run: Comparison) -> None:
    """Too few requests that took over a slot while others waited, or losses: it is not known how busy slots were."""
    assert judge_busy(run).verdict is Verdict.UNPROVED


def test_an_endless_theory_leaves_the_ratio() -> None:
    """Where the slots cannot carry the requests there is no interval, and the ratio is still that of the waits."""
    overloaded = replace(
        run_of().low, theory_seconds=math.inf, estimated_seconds=math.inf, interval_seconds=(0, math.inf)
    )

    assert overloaded.ratio == 1
    assert overloaded.ratio_interval == (0.0, math.inf)
