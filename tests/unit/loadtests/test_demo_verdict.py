"""The demo's verdict: whether high came first, judged from records of requests."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from loadtests.demo.verdict import (
    FEWEST_JUDGED,
    FORWARDED_WITHIN_SECONDS,
    DemoRequest,
    Evidence,
    QueueSample,
    judge_demo,
    overtakes,
)

SLOTS = 2
SERVICE_SECONDS = 0.1
LOOK_SECONDS = 0.06

priorities = st.sampled_from(DEFAULT_LEVELS)
moments = st.floats(0, 100, allow_nan=False)


@dataclass
class Simulated:
    """A request in a simulated run: when it is sent, when it is queued, and how long its transit to the target is."""

    name: str
    priority: Priority
    sent_at: float
    queued_at: float
    hop_seconds: float


def requests_of(kinds: list[tuple[Priority, float, float, float]]) -> list[Simulated]:
    requests, now = [], 0.0
    for number, (priority, gap_seconds, queueing_seconds, hop_seconds) in enumerate(kinds):
        now += gap_seconds
        requests.append(Simulated(f"{priority}-{number}", priority, now, now + queueing_seconds, hop_seconds))
    return requests


def inversions(evidence: Evidence) -> list[tuple[str, str]]:
    return [(one.ahead.sent.request_id, one.behind.sent.request_id) for one in judge_demo(evidence).inversions]


def run(requests: list[Simulated], *, high_first: bool) -> Evidence:
    """Serve all with SLOTS slots, in the order of the queue, and sample the queue continuously."""
    waiting, free_at = list(requests), [0.0] * SLOTS
    served: list[DemoRequest] = []
    while waiting:
        now = max(min(free_at), min(one.queued_at for one in waiting))
        queued = [one for one in waiting if one.queued_at <= now]
        first = min(queued, key=lambda one: (high_first and one.priority is Priority.LOW, one.queued_at))
        waiting.remove(first)
        free_at[free_at.index(min(free_at))] = now + first.hop_seconds + SERVICE_SECONDS
        served.append(DemoRequest(first.name, first.priority, first.sent_at, now + first.hop_seconds))
    queue_samples, begun_at = [], 0.0
    while begun_at <= max(one.sent_at for one in requests) + LOOK_SECONDS:
        # The verdict relies on this: at the response to a sample, all requests that were sent before it are queued.
        queued_at = [one.queued_at for one in requests if one.sent_at < begun_at]
        queue_samples.append(QueueSample(begun_at, max([begun_at, *queued_at])))
        begun_at = queue_samples[-1].ended_at + LOOK_SECONDS
    return Evidence(served, queue_samples, SLOTS, SLOTS)


def flood(high_from: int = 20, of: int = 60) -> list[Simulated]:
    """A low flood at once, and high requests in bursts of five while it is waiting."""
    low = [(Priority.LOW, 0.0, 0.001, 0.002)] * high_from
    burst = [(Priority.HIGH, 0.3, 0.001, 0.002), *[(Priority.HIGH, 0.0, 0.001, 0.002)] * 4]
    return requests_of([*low, *burst * ((of - high_from) // 5)])


@given(
    st.lists(
        st.tuples(priorities, st.floats(0, 0.05), st.floats(0.001, 0.5), st.floats(0, FORWARDED_WITHIN_SECONDS * 0.99)),
        min_size=1,
        max_size=60,
    )
)
def test_strict_priority_is_never_accused(kinds: list[tuple[Priority, float, float, float]]) -> None:
    """If high always goes first, no inversion is found, however slowly the gateway queues a request."""
    assert inversions(run(requests_of(kinds), high_first=True)) == []


def test_strict_priority_under_a_flood_passes() -> None:
    """A run with a flood, in which high always goes first, passes."""
    verdict = judge_demo(run(flood(), high_first=True))
    assert verdict.passed
    assert verdict.unproved_reasons == ()
    assert verdict.overtaken >= 1


def test_first_come_first_served_fails() -> None:
    """The same requests, served in the order of arrival, fail."""
    verdict = judge_demo(run(flood(), high_first=False))
    assert not verdict.passed
    assert verdict.inversions


def sent(name: str, sent_at: float, started_at: float | None) -> DemoRequest:
    return DemoRequest(name, Priority(name.partition("-")[0]), sent_at, started_at)


def evidence_of(
    *requests: DemoRequest, queue_samples: tuple[QueueSample, ...] = (QueueSample(10.01, 10.02),)
) -> Evidence:
    return Evidence(requests, queue_samples, SLOTS, SLOTS)


def test_an_inversion_names_both_requests() -> None:
    """One low request started during a high one's wait is reported, with the high one, and no other is."""
    high, low = sent("high-1", 10.0, 11.0), sent("low-1", 9.0, 10.5)
    before, after = sent("low-2", 9.0, 9.9), sent("low-3", 9.0, 11.1)
    assert inversions(evidence_of(high, before, low, after)) == [(low.request_id, high.request_id)]


@pytest.mark.parametrize("started_at", [10.0, 10.02, 10.069, 10.951, 11.0, 11.5])
def test_nothing_is_judged_within_the_allowances(started_at: float) -> None:
    """A low request that may have been claimed before the high one was queued, or after its claim, is no inversion."""
    assert inversions(evidence_of(sent("high-1", 10.0, 11.0), sent("low-1", 9.0, started_at))) == []


@pytest.mark.parametrize("started_at", [10.071, 10.949])
def test_just_outside_the_allowances_is_judged(started_at: float) -> None:
    """The tolerances are exact: a millisecond inside the wait, it is an inversion."""
    assert len(inversions(evidence_of(sent("high-1", 10.0, 11.0), sent("low-1", 9.0, started_at)))) == 1


def test_a_high_request_that_never_starts_waits_all_the_while() -> None:
    """A low request that is started while a high one starves is an inversion, though the high one never starts."""
    assert len(inversions(evidence_of(sent("high-1", 10.0, None), sent("low-1", 9.0, 50.0)))) == 1


def test_without_a_queue_sample_no_request_certainly_waits() -> None:
    """A gateway that has not answered since may not have the high request yet; that run proves nothing."""
    evidence = evidence_of(
        sent("high-1", 10.0, 11.0), sent("low-1", 9.0, 10.5), queue_samples=(QueueSample(9.99, 10.3),)
    )
    assert inversions(evidence) == []
    assert "no high request waited long enough to be overtaken" in judge_demo(evidence).unproved_reasons


@given(st.lists(st.tuples(priorities, moments, st.none() | st.floats(0, 10)), max_size=40))
def test_overtakes_are_those_sent_before_and_started_after(
    kinds: list[tuple[Priority, float, float | None]],
) -> None:
    """A high request overtakes each low one that was sent before it and not started by the time it was."""
    requests = [
        DemoRequest(f"{priority}-{number}", priority, sent_at, None if wait is None else sent_at + wait)
        for number, (priority, sent_at, wait) in enumerate(kinds)
    ]
    counts = [
        sum(
            low.priority is Priority.LOW
            and low.sent_at < high.sent_at
            and (low.started_at is None or low.started_at > high.started_at)
            for low in requests
        )
        for high in requests
        if high.priority is Priority.HIGH and high.started_at is not None
    ]
    assert overtakes(requests) == counts


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"most_in_flight": SLOTS - 1}, "the target was never busy: at most 1 of 2 slots were taken"),
        ({"most_in_flight": SLOTS + 1}, "the target had 3 requests at once, though there are 2 slots"),
        ({"queue_samples": ()}, "no high request waited long enough to be overtaken"),
        ({"problems": ("the log has a hole",)}, "the log has a hole"),
    ],
)
def test_a_run_that_proves_nothing_does_not_pass(change: dict[str, object], reason: str) -> None:
    """If a run proves nothing, a sentence says why, and it does not pass."""
    verdict = judge_demo(replace(run(flood(), high_first=True), **change))  # type: ignore[arg-type]
    assert verdict.unproved_reasons == (reason,)
    assert not verdict.passed


@pytest.mark.parametrize("priority", DEFAULT_LEVELS)
def test_too_few_requests_prove_nothing(priority: Priority) -> None:
    """With too few requests of one priority, a run does not pass, even with the right order."""
    evidence = run(flood(), high_first=True)
    kept = [one for one in evidence.requests if one.priority is not priority]
    few = [one for one in evidence.requests if one.priority is priority][: FEWEST_JUDGED - 1]
    verdict = judge_demo(replace(evidence, requests=[*kept, *few]))
    assert not verdict.passed
    assert any(f"only {FEWEST_JUDGED - 1} {priority}" in reason for reason in verdict.unproved_reasons)


def test_a_run_without_any_request_has_a_verdict() -> None:
    """A run without requests proves nothing."""
    assert not judge_demo(Evidence([], [], SLOTS, 0)).passed
