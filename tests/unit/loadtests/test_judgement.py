"""The judgement on a run: one finding for each promise, and none from evidence that is worthless."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.oracle.judgement import judge_run
from loadtests.oracle.verdict import Verdict
from loadtests.records.traces import RequestTrace
from loadtests.scenarios.catalogue import SCENARIOS, Scenario, Sizing, build_scenario
from tests.unit.loadtests.trace_rig import make_trace, serve_flood, shift, take_high_first, take_oldest

PROVED, VIOLATED, UNPROVED = Verdict.PROVED, Verdict.VIOLATED, Verdict.UNPROVED
SLOTS = 4
PROMISES = ("order", "saturated", "limit", "once", "left", "answered")

every_scenario = pytest.mark.parametrize("name", SCENARIOS)


def promise(*names: str) -> Scenario:
    return Scenario("made-up", "made up", (), names)


def flood(*, high_first: bool = True) -> list[RequestTrace]:
    """A saturated run through four slots, in which some clients left while they waited."""
    choose = take_high_first if high_first else take_oldest
    served = serve_flood(1, SLOTS, choose, queueing_seconds=0.01, forwarding_seconds=0.01)
    gone = [make_trace(f"low-gone-{number}", 10, None, ended_at=11, outcome="left") for number in range(5)]
    return [*served, *gone]


def verdicts_on(
    run: list[RequestTrace], *names: str, slots: int = SLOTS, dropped: int = 0, tolerance_seconds: float = 0.1
) -> dict[str, Verdict]:
    judgement = judge_run(promise(*names), run, slots=slots, dropped=dropped, tolerance_seconds=tolerance_seconds)
    return {finding.check: finding.verdict for finding in judgement.findings}


def test_a_gateway_that_keeps_all_promises_is_proved_right() -> None:
    """Every finding of a saturated run without a violation is proved."""
    assert verdicts_on(flood(), *PROMISES) == dict.fromkeys(PROMISES, PROVED)


def test_a_gateway_without_priorities_breaks_that_promise_alone() -> None:
    """First come, first served breaks the promise of the order, and keeps every other promise."""
    assert verdicts_on(flood(high_first=False), *PROMISES) == dict.fromkeys(PROMISES, PROVED) | {"order": VIOLATED}


@every_scenario
def test_each_promise_of_the_catalogue_has_a_finding(name: str) -> None:
    """All promises have a finding, in the order of the scenario."""
    scenario = build_scenario(name, Sizing(slots=SLOTS))
    for run in (flood(), []):
        judgement = judge_run(scenario, run, slots=SLOTS)
        assert tuple(finding.check for finding in judgement.findings) == scenario.promises


@every_scenario
def test_an_empty_run_keeps_no_promise(name: str) -> None:
    """If nothing was sent, no promise is proved."""
    judgement = judge_run(build_scenario(name, Sizing(slots=SLOTS)), [], slots=SLOTS)
    assert {finding.verdict for finding in judgement.findings} == {UNPROVED}


def test_an_unknown_promise_is_an_error() -> None:
    """An unknown promise is an error: a misspelt one would never be checked."""
    with pytest.raises(KeyError, match="ordering"):
        judge_run(promise("ordering"), flood(), slots=SLOTS)


def test_what_was_not_promised_and_is_kept_or_unproved_has_no_finding() -> None:
    """What the scenario does not promise has no finding, unless it is violated; the order is always judged."""
    assert verdicts_on(flood(), "once") == {"once": PROVED}
    calm = [make_trace(f"low-{number}", 10 * number, 10 * number) for number in range(9)]
    judgement = judge_run(promise("once"), calm, slots=SLOTS)
    assert [finding.check for finding in judgement.findings] == ["once"]
    assert judgement.order.finding.verdict is UNPROVED


def test_an_order_or_a_limit_that_is_violated_counts_promised_or_not() -> None:
    """A violated order or limit has a finding in every scenario, once, after the promises."""
    findings = judge_run(promise("once"), flood(high_first=False), slots=SLOTS - 1).findings
    assert [(one.check, one.verdict) for one in findings] == [
        ("once", PROVED),
        ("order", VIOLATED),
        ("limit", VIOLATED),
    ]
    assert len(judge_run(promise("limit", "order"), flood(high_first=False), slots=SLOTS - 1).findings) == 2


@pytest.mark.parametrize(
    ("promises", "compared"), [(("order",), False), (("waits",), True), (("once", "slots busy"), True)]
)
def test_waits_are_compared_where_that_was_promised(promises: tuple[str, ...], compared: bool) -> None:
    """Waits are compared with theory only if the scenario promises it: other runs do not fit the theory."""
    judgement = judge_run(promise(*promises), flood(), slots=SLOTS)
    assert (judgement.comparison is not None) is compared
    assert tuple(finding.check for finding in judgement.findings) == promises


def test_the_slots_are_those_that_the_gateway_is_said_to_have() -> None:
    """With fewer slots given, there were too many requests at once; with more, they were never all in use."""
    assert verdicts_on(flood(), "limit", "saturated", slots=SLOTS - 1) == {"limit": VIOLATED, "saturated": PROVED}
    assert verdicts_on(flood(), "limit", "saturated", slots=SLOTS + 1) == {"limit": UNPROVED, "saturated": UNPROVED}


def test_the_tolerance_is_for_the_order_and_for_clients_that_leave() -> None:
    """With a tolerance above all waits nothing is too late; with a small one, 0.15 s after the client left is."""
    late = make_trace("low-late", 10, 11.15, finished_at=11.15, ended_at=11, outcome="left")
    run = [*flood(high_first=False), late]
    assert verdicts_on(run, "order", "left", tolerance_seconds=100) == {"order": UNPROVED, "left": PROVED}
    assert verdicts_on(run, "order", "left", tolerance_seconds=0.1) == {"order": VIOLATED, "left": VIOLATED}


@pytest.mark.parametrize("tolerance_seconds", [0.1, 0.5])
def test_a_call_that_was_given_up_may_last_the_tolerance_longer(tolerance_seconds: float) -> None:
    """A request that the target ends 0.3 s after its client left uses no slot if the tolerance is longer."""
    calls = [make_trace(f"low-{number}", 0, 1, finished_at=9) for number in range(SLOTS - 1)]
    given_up = make_trace("low-left", 0, 1, finished_at=5.3, ended_at=5, outcome="left")
    next_one = make_trace("low-next", 0, 5.1, finished_at=9)
    verdicts = verdicts_on([*calls, given_up, next_one], "limit", tolerance_seconds=tolerance_seconds)
    assert verdicts == {"limit": VIOLATED if tolerance_seconds < 0.3 else PROVED}


@pytest.mark.parametrize(("name", "verdict"), [("drain", VIOLATED), ("saturation", VIOLATED), ("failing", PROVED)])
def test_an_error_is_a_response_only_if_the_scenario_sets_errors(name: str, verdict: Verdict) -> None:
    """If the scenario sets no errors, a 502 for a request at the target means that the gateway lost it."""
    run = [*flood(), make_trace("high-lost", 30, 31, status=502)]
    findings = judge_run(build_scenario(name, Sizing(slots=SLOTS)), run, slots=SLOTS).findings
    assert {finding.check: finding.verdict for finding in findings}["answered"] is verdict


def test_in_records_without_streams_an_error_may_be_the_targets_own() -> None:
    """In records without streams an error counts as a response: it is unknown whether the target was set to fail."""
    assert verdicts_on([make_trace("high-1", 0, 1, status=500)], "answered") == {"answered": PROVED}


@every_scenario
@pytest.mark.parametrize("high_first", [True, False])
def test_a_log_that_has_lost_arrivals_proves_nothing(name: str, high_first: bool) -> None:
    """If the log has lost arrivals, every finding is unproved and says what to change."""
    scenario = build_scenario(name, Sizing(slots=SLOTS))
    judgement = judge_run(scenario, flood(high_first=high_first), slots=SLOTS, dropped=3)
    reason = "the target's log has lost 3 arrivals: start it with a larger --log-size"
    assert [(one.check, one.verdict, one.reason, one.evidence) for one in judgement.findings] == [
        (promised, UNPROVED, reason, ()) for promised in scenario.promises
    ]
    assert (judgement.order.finding.verdict, judgement.order.finding.evidence) == (UNPROVED, ())
    assert judgement.comparison is None


@pytest.mark.parametrize(
    "impossible",
    [
        pytest.param(make_trace("low-odd", 5, 4.999), id="arrived before it was sent"),
        pytest.param(make_trace("low-odd", 5, 6.001, ended_at=6), id="arrived after its answer"),
        pytest.param(make_trace("low-odd", 5, 6.001, ended_at=6, status=404), id="arrived after an answer below 500"),
        pytest.param(make_trace("low-odd", 5, 6, finished_at=5.9, ended_at=7), id="finished before it arrived"),
        pytest.param(make_trace("low-odd", 5, 4, ended_at=7, outcome="left"), id="left, but arrived before"),
    ],
)
def test_clocks_that_differ_prove_nothing(impossible: RequestTrace) -> None:
    """One impossible request is enough to make every finding unproved: no time in the records can be trusted."""
    for run in (flood(), flood(high_first=False)):
        judgement = judge_run(promise(*PROMISES, "waits", "slots busy"), [*run, impossible], slots=SLOTS)
        assert {finding.verdict for finding in judgement.findings} == {UNPROVED}
        assert all("the clocks of sender and target differ" in finding.reason for finding in judgement.findings)
        assert judgement.order.finding.verdict is UNPROVED


@settings(max_examples=30)
@given(st.floats(0.5, 100), st.booleans())
def test_a_target_whose_clock_is_another_one_proves_nothing(seconds: float, ahead: bool) -> None:
    """If requests arrive before they were sent, or after their response, nothing is proved."""
    run = [replace(shift(one, seconds if ahead else -seconds), sent=one.sent) for one in flood()]
    assert {*verdicts_on(run, *PROMISES).values()} == {UNPROVED}


@pytest.mark.parametrize(("ahead_seconds", "verdict"), [(0.04, PROVED), (0.06, UNPROVED), (0.095, UNPROVED)])
def test_a_target_whose_clock_is_a_little_ahead_does_not_accuse(ahead_seconds: float, verdict: Verdict) -> None:
    """If the clock of the target is ahead by more than half of the tolerance, the order is not judged."""
    run = [replace(shift(one, ahead_seconds), sent=one.sent) for one in flood()]
    # When the sender of a request without a response gave up says nothing of the target's clock.
    run.append(make_trace("high-failed", 10, 10.05, ended_at=20, outcome="failed"))
    assert verdicts_on(run, "order", tolerance_seconds=0.1)["order"] is verdict


def test_one_request_that_is_finished_late_is_no_clock_ahead() -> None:
    """One request that ends after its response does not make the clocks differ: the target may continue after it."""
    late = make_trace("low-odd", 5, 6, finished_at=9, ended_at=7)
    assert verdicts_on([*flood(), late], "once")["once"] is PROVED


@pytest.mark.parametrize(
    "possible",
    [
        pytest.param(make_trace("low-odd", 5, 6.1, ended_at=6, outcome="left"), id="left, and was on its way"),
        pytest.param(make_trace("low-odd", 5, 6.1, ended_at=6, outcome="failed"), id="failed, and was on its way"),
        pytest.param(make_trace("low-odd", 5, 5.5, ended_at=6, arrived_again=[7]), id="arrived a second time"),
        pytest.param(make_trace("low-odd", 5, 5, finished_at=5, ended_at=5), id="took no time at all"),
    ],
)
def test_what_may_have_happened_contradicts_no_clock(possible: RequestTrace) -> None:
    """Unusual but possible records are judged."""
    assert verdicts_on([*flood(), possible], "once")["once"] is PROVED


def test_a_request_that_is_sent_after_the_gateways_own_error_does_not_hide_the_order() -> None:
    """A request sent after an error of the gateway is a violation itself, and does not make the clocks differ."""
    late = make_trace("high-late", 30, 36, ended_at=35, status=504)
    verdicts = verdicts_on([*flood(high_first=False), late], "order", "answered")
    assert (verdicts["order"], verdicts["answered"]) == (VIOLATED, VIOLATED)


def test_the_end_of_a_call_that_the_gateway_answered_itself_is_no_clock_ahead() -> None:
    """The target may continue with a request that the gateway cancelled; that does not make the clocks differ."""
    run = [make_trace(f"low-{number}", 0, 1, finished_at=9, ended_at=5, status=504) for number in range(5)]
    assert verdicts_on(run, "once")["once"] is PROVED


@pytest.mark.parametrize("status", [None, 200])
def test_responses_to_requests_that_the_log_does_not_have_prove_nothing(status: int | None) -> None:
    """If the log has none of the answered requests, ids are lost or the log is wrong: every finding is unproved."""
    run = [make_trace(f"low-{number}", number, None, status=status) for number in range(3)]
    findings = judge_run(promise("order", "answered"), run, slots=SLOTS).findings
    assert {finding.verdict for finding in findings} == {UNPROVED}
    assert findings[1].reason == (
        "none of the 3 answered requests is in the target's log: "
        "is X-Request-ID forwarded, and is this the gateway's target?"
    )


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        pytest.param([make_trace("low-1", 0, None, status=503)], VIOLATED, id="nothing but the gateway's errors"),
        pytest.param(
            [make_trace("low-1", 0, None, status=200), make_trace("low-2", 0, 1, status=502)],
            VIOLATED,
            id="the id of one is known",
        ),
        pytest.param([make_trace("low-1", 0, None, outcome="left")], UNPROVED, id="nobody waited"),
    ],
)
def test_a_log_that_knows_an_answered_request_is_the_targets(run: list[RequestTrace], verdict: Verdict) -> None:
    """If the log has one answered request, it is the right log: the gateway lost what is missing in it."""
    assert verdicts_on(run, "answered") == {"answered": verdict}


def test_a_tolerance_must_be_above_0() -> None:
    """A tolerance of 0 or less is refused, also if no promise needs it."""
    with pytest.raises(ValueError, match="the tolerance is 0 s"):
        judge_run(promise("once"), [], slots=SLOTS, tolerance_seconds=0)
