"""The judge of a load detects each broken promise, and accepts what a scenario allows."""

from dataclasses import replace

import pytest

from tests.chaos.load.judging import Allowed, RequestRecord, count, find_broken, join_attempts
from tests.chaos.load.plan import Done, Kind, Outcome, Plan

_PLAN = Plan("a", 0.0, "POST", "low")
_BY_FAULT = "each request is answered as this fault allows"
_SENT_TWICE = "a POST reaches the target at most once, a GET at most twice"
_REFUSED_BUT_SENT = "a POST refused with 503 and Retry-After never reaches the target"
_EVERYTHING = Allowed(refused=True, lost=True, broken=True, closed=True, unsure=True, also=frozenset({"504 x"}))


def _seen(attempts: int = 1, plan: Plan = _PLAN, **how: object) -> RequestRecord:
    done = Done(plan, 1.0, 2.0, Outcome.ANSWERED, 200)
    return RequestRecord(replace(done, **how), attempts)  # type: ignore[arg-type]


def _refused(attempts: int = 0, plan: Plan = _PLAN) -> RequestRecord:
    return _seen(attempts, plan, status=503, slug="broker-unavailable", retry_after="1")


def _lost(attempts: int = 0) -> RequestRecord:
    return _seen(attempts, status=502, slug="request-lost")


def _broken(one: RequestRecord, allowed: Allowed = _EVERYTHING) -> list[str]:
    return list(find_broken([one], allowed))


def test_an_answered_request_breaks_no_promise() -> None:
    """A request that reached the target once and was answered 200 breaks no promise."""
    assert _broken(_seen(), Allowed()) == []


def test_a_post_that_was_sent_twice_is_detected() -> None:
    """Two attempts break a promise for a POST, three for a GET."""
    get = replace(_PLAN, method="GET")
    assert _broken(_seen(2)) == [_SENT_TWICE]
    assert _broken(_seen(2, get)) == []
    assert _broken(_seen(3, get)) == [_SENT_TWICE]


def test_a_refused_request_that_reached_the_target_is_detected() -> None:
    """503 with Retry-After for a POST that reached the target breaks a promise, whatever the fault."""
    assert _broken(_refused(0)) == []
    assert _broken(_refused(1)) == [_REFUSED_BUT_SENT]


def test_an_idempotent_request_may_be_refused_where_the_outcome_is_unknown() -> None:
    """503 for a GET that reached the target is allowed only where the outcome cannot be known."""
    refused = _refused(1, replace(_PLAN, method="GET"))
    assert _broken(refused) == []
    assert len(_broken(refused, Allowed(refused=True))) == 1


def test_retry_after_with_request_lost_is_detected() -> None:
    """502 request-lost with Retry-After breaks a promise."""
    lost = _lost()
    assert _broken(lost) == []
    with_retry_after = RequestRecord(replace(lost.done, retry_after="1"), 0)
    assert _broken(with_retry_after) == ["502 request-lost has no Retry-After"]


def test_an_answer_that_the_target_did_not_send_is_detected() -> None:
    """200 for a request that never reached the target breaks a promise."""
    assert _broken(_seen(0)) == ["a request answered 200 has reached the target"]


@pytest.mark.parametrize(
    ("outcome", "promise"),
    [
        (Outcome.UNANSWERED, "each request is answered once"),
        (Outcome.WRONG, "each answer belongs to its request, and its content is right"),
    ],
)
def test_no_fault_excuses_a_missing_or_wrong_answer(outcome: Outcome, promise: str) -> None:
    """A request without an answer, and one with wrong content, break a promise, whatever is allowed."""
    assert _broken(_seen(outcome=outcome)) == [promise]


@pytest.mark.parametrize(
    ("one", "allowed"),
    [
        (_refused(), Allowed(refused=True)),
        (_lost(), Allowed(lost=True)),
        (_seen(outcome=Outcome.BROKEN_OFF), Allowed(broken=True)),
        (_seen(outcome=Outcome.CLOSED, status=None), Allowed(closed=True)),
        (_seen(status=504, slug="target-timeout"), Allowed(also=frozenset({"504 target-timeout"}))),
    ],
    ids=["refused", "lost", "broken off", "closed", "an answer of its own"],
)
def test_what_a_scenario_allows_breaks_no_promise(one: RequestRecord, allowed: Allowed) -> None:
    """Each kind of failure breaks a promise unless the scenario allows it."""
    assert _broken(one, Allowed()) == [_BY_FAULT]
    assert _broken(one, allowed) == []


def test_a_started_upload_may_not_be_lost_where_transfers_must_be_complete() -> None:
    """An upload that reached the target and was answered 502 is a broken transfer: `lost` does not allow it."""
    upload = RequestRecord(_lost().done, 1)
    upload = replace(upload, done=replace(upload.done, plan=replace(_PLAN, kind=Kind.UPLOAD)))
    assert _broken(upload, Allowed(lost=True)) == [_BY_FAULT]
    assert _broken(upload, Allowed(lost=True, broken=True)) == []


def test_attempts_are_those_of_the_same_request() -> None:
    """Arrivals are counted by request id; other ids do not count."""
    one, other = _seen().done, replace(_seen().done, plan=replace(_PLAN, request_id="b"))
    assert [each.attempts for each in join_attempts([one, other], ["a", "c", "a", None])] == [2, 0]


def test_results_are_counted_as_text() -> None:
    """Equal results are counted together, transfers separately."""
    download = replace(_PLAN, kind=Kind.DOWNLOAD, method="GET")
    seen = [_seen(), _seen(), _lost(), _seen(plan=download), _seen(plan=download, outcome=Outcome.LEFT)]
    assert count(seen) == (
        "200: 2, 502 request-lost: 1, download 200: 1, download correct until the client disconnected: 1"
    )


def test_a_busy_machine_excuses_no_broken_promise() -> None:
    """During a stall a request may be refused, but never a POST that reached the target."""
    stall = (1.5, 3.0)
    assert find_broken([_refused(0)], Allowed(), [stall]) == {}
    assert list(find_broken([_refused(1)], Allowed(), [stall])) == [_REFUSED_BUT_SENT]
    assert list(find_broken([_refused(0)], Allowed(), [(2.5, 3.0)])) == [_BY_FAULT]
