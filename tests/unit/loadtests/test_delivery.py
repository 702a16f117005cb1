"""The promises beside the order: the limit and its use, nothing sent twice or too late, every request answered."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.oracle.delivery import (
    ENOUGH_SATURATED_SHARE,
    IDEMPOTENT_METHODS,
    SlotUse,
    judge_abandoned,
    judge_answered,
    judge_duplicates,
    judge_limit,
    judge_saturation,
    measure_slot_use,
)
from loadtests.oracle.verdict import Verdict
from loadtests.records.traces import Arrival, Outcome, RequestTrace, SentRequest
from tests.unit.loadtests.trace_rig import make_trace, shift

PROVED, VIOLATED, UNPROVED = Verdict.PROVED, Verdict.VIOLATED, Verdict.UNPROVED
T = 0.25


def visit(
    arrived_at: float, finished_at: float | None, left_at: float | None = None, request_id: str = "a"
) -> RequestTrace:
    """One request at the target; its client has left at `left_at`, if at all."""
    outcome: Outcome = "answered" if left_at is None else "left"
    ended_at = arrived_at + 1000 if left_at is None else left_at
    return RequestTrace(
        SentRequest(request_id, "low", 0, ended_at, outcome), (Arrival(request_id, arrived_at, finished_at),)
    )


def most_at_once(*visits: RequestTrace) -> int:
    return measure_slot_use(visits, 2, T).most_in_flight


def held(one: RequestTrace) -> list[tuple[float, float]]:
    """Return start and end of each attempt at the target."""
    spans = []
    for arrival in one.arrivals:
        end = inf if arrival.finished_at is None else arrival.finished_at
        answered = one.sent.outcome == "answered" and arrival.arrived_at <= one.sent.ended_at
        if end == inf or (end - one.sent.ended_at > 0 and (answered or end - one.sent.ended_at <= T)):
            end = one.sent.ended_at
        spans.append((arrival.arrived_at, max(arrival.arrived_at, end)))
    return spans


# Both sides of the tolerance, in parts of a second that floats hold exactly.
steps = st.integers(0, 40).map(lambda step: step / 8)
attempts = st.tuples(steps, st.none() | st.integers(-2, 16).map(lambda step: step / 8))


OUTCOMES: tuple[Outcome, ...] = ("answered", "failed", "left")


def make_run(drawn: list[tuple[list[tuple[float, float | None]], int, float]]) -> list[RequestTrace]:
    run = []
    for index, (visits, outcome, ended_at) in enumerate(drawn):
        arrivals = [Arrival(str(index), at, None if stays is None else at + stays) for at, stays in visits]
        run.append(RequestTrace(SentRequest(str(index), "low", 0.0, ended_at, OUTCOMES[outcome]), tuple(arrivals)))
    return run


runs = st.lists(
    st.tuples(st.lists(attempts, max_size=2), st.integers(0, 2), steps),
    max_size=8,
).map(make_run)


@given(runs, st.integers(1, 3))
def test_the_use_of_the_slots_is_what_a_count_at_each_moment_gives(run: list[RequestTrace], slots: int) -> None:
    """The most in flight, and the shares of time with some and with all slots in use, equal a count at each moment."""
    spans = [span for one in run for span in held(one)]
    if not spans:
        assert measure_slot_use(run, slots, T) == SlotUse(0, 0.0, 0.0)
        return
    first, last = min(start for start, _ in spans), max(start for start, _ in spans)
    edges = sorted({at for span in spans for at in span if first <= at <= last})

    def in_flight(at: float) -> int:
        return sum(start <= at < end for start, end in spans)

    used = sum((later - at) * min(in_flight(at), slots) for at, later in pairwise(edges))
    saturated = sum(later - at for at, later in pairwise(edges) if in_flight(at) >= slots)
    use = measure_slot_use(run, slots, T)
    assert use.most_in_flight == max(map(in_flight, edges))
    assert use.share_in_use == pytest.approx(used / (last - first) / slots if last > first else 0)
    assert use.share_saturated == pytest.approx(saturated / (last - first) if last > first else 0)


@given(runs, st.integers(-1000, 1000))
def test_what_time_it_is_does_not_matter(run: list[RequestTrace], seconds: int) -> None:
    """If all clocks are set to another time, also one before 1970, the use of the slots is the same."""
    there, here = measure_slot_use([shift(one, seconds) for one in run], 2, T), measure_slot_use(run, 2, T)
    assert there.most_in_flight == here.most_in_flight
    assert there.share_in_use == pytest.approx(here.share_in_use)
    assert there.share_saturated == pytest.approx(here.share_saturated)


def test_an_arrival_at_the_end_of_another_request_reuses_its_slot() -> None:
    """If a request ends and another one arrives at the same moment, the end counts first."""
    assert most_at_once(visit(0, 5), visit(5, 9), visit(9, 10)) == 1


def test_two_at_once_for_however_short_a_time_are_two() -> None:
    """Two concurrent requests count as two, however short the time: the limit has no tolerance."""
    assert most_at_once(visit(0, 5.0001), visit(5, 9)) == 2


def test_one_that_never_finishes_stays() -> None:
    """A request that the target does not end is in flight until the end of the run."""
    assert most_at_once(visit(0, None), visit(5, 6), visit(100, 101)) == 2


def answered(arrived_at: float, finished_at: float | None, ended_at: float, status: int | None = 200) -> RequestTrace:
    sent = SentRequest("a", "low", 0, ended_at, "answered", status)
    return RequestTrace(sent, (Arrival("a", arrived_at, finished_at),))


@pytest.mark.parametrize("finished_at", [None, 5.05, 20])
def test_one_that_was_answered_ends_with_its_answer(finished_at: float | None) -> None:
    """A request ends with its response, even if the target logs its end later, or not at all."""
    assert most_at_once(answered(0, finished_at, 5), visit(5, 8)) == 1
    assert most_at_once(answered(0, finished_at, 5), visit(4.9, 8)) == 2


def test_one_that_the_gateway_answered_itself_goes_on_at_the_target() -> None:
    """An error of the gateway frees no slot at the target, unless the call ends soon."""
    assert most_at_once(answered(0, 9, 5, status=504), visit(6, 8)) == 2
    assert most_at_once(answered(0, 5.25, 5, status=504), visit(5.1, 8)) == 1


def test_an_arrival_after_the_response_uses_a_slot() -> None:
    """A request that arrives after its response uses a slot, although no client waits for it."""
    assert most_at_once(answered(5, 8, 4), visit(6, 7)) == 2


def test_one_whose_client_has_left_is_gone_with_it() -> None:
    """A request ends when its client leaves, even if the target notices it a little later, or never."""
    assert most_at_once(visit(0, 5.25, left_at=5), visit(5.1, 8)) == 1
    assert most_at_once(visit(0, None, left_at=5), visit(5.1, 8)) == 1


def test_one_that_goes_on_without_its_client_stays() -> None:
    """If a call continues long after its client left, it counts: the gateway must end it before it frees the slot."""
    assert most_at_once(visit(0, 5.26, left_at=5), visit(5.1, 8)) == 2


def test_an_arrival_after_the_client_left_uses_a_slot() -> None:
    """A request that arrives after its client left was in transit; it uses a slot until it is cancelled."""
    assert most_at_once(visit(5, 8, left_at=4), visit(6, 7)) == 2
    assert most_at_once(visit(5, 5.1, left_at=4), visit(5.1, 7)) == 1


def test_one_whose_client_leaves_later_than_it_ends_ends_as_any_other() -> None:
    """If a client leaves after the end of its request, the request does not last longer."""
    assert most_at_once(visit(0, 4, left_at=20), visit(5, 8)) == 1


def test_each_attempt_of_a_request_is_at_the_target() -> None:
    """A concurrent second attempt counts as one more request in flight."""
    assert most_at_once(make_trace("low-1", 0, 1, finished_at=5, arrived_again=[3])) == 2


def test_the_shares_are_taken_from_the_first_arrival_to_the_last() -> None:
    """Two slots: one in use for 2 s, both for 4 s, none for 4 s; time after the last arrival does not count."""
    run = [visit(10, 16), visit(12, 16), visit(20, 1000)]
    assert measure_slot_use(run, 2, T) == SlotUse(2, share_in_use=0.5, share_saturated=0.4)


@pytest.mark.parametrize(("most", "verdict"), [(0, UNPROVED), (3, UNPROVED), (4, PROVED), (5, VIOLATED)])
def test_the_limit_is_proved_by_a_run_that_reaches_it_exactly(most: int, verdict: Verdict) -> None:
    """One more than the limit is a violation; with one less, the limit was not tested."""
    assert judge_limit(SlotUse(most, 0.9, 0.9), 4).verdict is verdict


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.0, UNPROVED), (ENOUGH_SATURATED_SHARE - 0.001, UNPROVED), (ENOUGH_SATURATED_SHARE, PROVED), (1.0, PROVED)],
)
def test_a_run_without_saturation_is_named(share: float, verdict: Verdict) -> None:
    """If all slots are in use for too short a time, the order was hardly tested, and the finding is unproved."""
    assert judge_saturation(SlotUse(4, 1.0, share), 4).verdict is verdict


def arrive(method: str, times: int) -> RequestTrace:
    first, *again = [float(at) for at in range(1, times + 1)]
    return make_trace("low-1", 0, first, method=method, arrived_again=again)


@pytest.mark.parametrize("method", sorted(IDEMPOTENT_METHODS))
@pytest.mark.parametrize(("times", "verdict"), [(1, PROVED), (2, PROVED), (3, VIOLATED)])
def test_an_idempotent_request_may_be_sent_once_more(method: str, times: int, verdict: Verdict) -> None:
    """An idempotent request may be sent again after its first attempt was lost; a third attempt is a violation."""
    assert judge_duplicates([arrive(method, times)]).verdict is verdict


@pytest.mark.parametrize("method", ["POST", "PATCH", "post", "get", "MOVE"])
@pytest.mark.parametrize(("times", "verdict"), [(1, PROVED), (2, VIOLATED)])
def test_any_other_request_is_sent_once(method: str, times: int, verdict: Verdict) -> None:
    """A request that is not idempotent, or whose method is unknown, may be sent only once."""
    assert judge_duplicates([arrive("GET", 1), arrive(method, times)]).verdict is verdict


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_what_the_target_has_answered_is_not_sent_again(method: str, status: int) -> None:
    """A second attempt after a response of the target, with any status, is a violation."""
    again = make_trace("low-1", 0, 1, method=method, arrived_again=[3], target_status=status)
    finding = judge_duplicates([arrive("GET", 1), again])
    assert finding.verdict is VIOLATED
    assert finding.evidence == (f"{method} low-1 reached the target 2 times, and was answered {status} the first time",)


def test_what_was_sent_too_often_is_named() -> None:
    """The evidence has the method and the id of a request that was sent too often, and the number of attempts."""
    run = [arrive("GET", 2), arrive("POST", 1), arrive("POST", 2)]
    assert judge_duplicates(run).evidence == ("POST low-1 reached the target 2 times",)
    assert "1 idempotent ones a second time" in judge_duplicates(run[:2]).reason


@pytest.mark.parametrize("run", [[], [make_trace("low-1", 0, None)]])
def test_where_nothing_arrives_nothing_is_proved_of_how_often(run: list[RequestTrace]) -> None:
    """If no request arrives, the promise about repetition is unproved."""
    assert judge_duplicates(run).verdict is UNPROVED


def leave(arrived_at: float | None, *again: float) -> RequestTrace:
    return make_trace("low-1", 0, arrived_at, ended_at=5, outcome="left", arrived_again=again)


@pytest.mark.parametrize(
    ("late", "verdict"),
    [
        pytest.param(leave(4.0), PROVED, id="it was at the target when its client left"),
        pytest.param(leave(5.25), PROVED, id="it was on its way"),
        pytest.param(leave(5.26), VIOLATED, id="it was sent later"),
        pytest.param(leave(4.0, 5.26), VIOLATED, id="it was sent again later"),
    ],
)
def test_a_request_whose_client_has_left_is_not_sent(late: RequestTrace, verdict: Verdict) -> None:
    """Later than the tolerance after its client left, a request may not be sent, neither first nor again."""
    assert judge_abandoned([*[leave(None)] * 5, late], T).verdict is verdict


def test_what_was_sent_too_late_is_named() -> None:
    """The evidence has the id of a request that was sent too late, and how late; it has no other arrivals."""
    finding = judge_abandoned([leave(4.0, 5.1, 7.5), leave(5.5)], T)
    assert finding.evidence == (
        "low-1 reached the target 2.500 s after its client left",
        "low-1 reached the target 0.500 s after its client left",
    )


def test_with_few_that_left_while_they_waited_nothing_is_proved() -> None:
    """Only clients that left while their request waited count; with too few of them the promise is unproved."""
    few = [leave(None)] * 4
    others = [leave(4.0)] * 5 + [make_trace("low-2", 0, None, outcome="failed"), make_trace("low-3", 0, 9)]
    assert judge_abandoned([*few, *others], T).verdict is UNPROVED
    assert judge_abandoned([*few, leave(None), *others], T).verdict is PROVED


ANSWERED = make_trace("low-1", 0, 1, status=200)


@pytest.mark.parametrize(
    ("lost", "evidence"),
    [
        (make_trace("low-2", 0, 1, outcome="failed"), "low-2: no response"),
        (make_trace("low-2", 0, None, outcome="failed"), "low-2: no response, never reached the target"),
        (make_trace("low-2", 0, None, status=503), "low-2: 503, never reached the target"),
        (make_trace("low-2", 0, None, status=200), "low-2: 200, never reached the target"),
        (make_trace("low-2", 0, 1, status=500), "low-2: 500"),
        (make_trace("low-2", 0, 1, status=502), "low-2: 502"),
    ],
)
def test_a_request_without_a_response_of_the_target_is_lost(lost: RequestTrace, evidence: str) -> None:
    """A request is lost if it has no response, one not from the target, or a 5xx of the gateway after it arrived."""
    finding = judge_answered([ANSWERED, lost], T)
    assert (finding.verdict, finding.evidence) == (VIOLATED, (evidence,))


@pytest.mark.parametrize("status", [None, 200, 304, 404, 429, 499])
def test_a_response_below_500_is_an_answer(status: int | None) -> None:
    """A status below 500 is a response of the target, and so is a status that was not recorded."""
    assert judge_answered([make_trace("low-1", 0, 1, status=status)], T).verdict is PROVED


def test_errors_that_the_scenario_sets_are_responses() -> None:
    """If the scenario sets errors, a 5xx of the target is a response; one not from the target is not."""
    error, refused = make_trace("low-2", 0, 1, status=500), make_trace("low-3", 0, None, status=503)
    failed = make_trace("low-4", 0, 1, outcome="failed")
    assert judge_answered([ANSWERED, error], T, errors_expected=True).verdict is PROVED
    assert len(judge_answered([error, refused, failed], T, errors_expected=True).evidence) == 2


@pytest.mark.parametrize(
    ("late", "verdict"),
    [
        pytest.param(make_trace("low-2", 0, 5.25, ended_at=5, status=502), PROVED, id="it was on its way"),
        pytest.param(make_trace("low-2", 0, 5.5, ended_at=5, status=502), VIOLATED, id="it was sent later"),
        pytest.param(
            make_trace("low-2", 0, 4, ended_at=5, status=200, arrived_again=[5.5]), VIOLATED, id="sent again later"
        ),
        pytest.param(make_trace("low-2", 0, 5.5, ended_at=5, outcome="left"), PROVED, id="left is judged elsewhere"),
    ],
)
def test_a_request_that_has_been_answered_is_not_sent(late: RequestTrace, verdict: Verdict) -> None:
    """After its response a request may not be sent, neither first nor again; the evidence has how late it was."""
    finding = judge_answered([ANSWERED, late], T, errors_expected=True)
    assert finding.verdict is verdict
    if verdict is VIOLATED:
        assert finding.reason == "1 were sent although they had been answered already"
        assert finding.evidence == ("low-2 reached the target 0.500 s after it had been answered",)


def test_what_is_lost_and_what_is_late_are_both_counted() -> None:
    """Lost requests and late ones are both counted in one finding."""
    failed = make_trace("low-3", 0, 1, outcome="failed")
    reason = judge_answered([failed, make_trace("low-2", 0, 9, ended_at=5, status=502)], T).reason
    assert reason == ("2 requests have no response of the target; 1 were sent although they had been answered already")


def test_a_client_that_has_left_needs_no_response() -> None:
    """A request whose client left does not count; if all left, the promise is unproved."""
    assert judge_answered([ANSWERED, leave(None), leave(4.0)], T).verdict is PROVED
    assert judge_answered([leave(None), leave(4.0)], T).verdict is UNPROVED
