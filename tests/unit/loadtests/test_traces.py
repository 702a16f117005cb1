"""Requests on their way: how both sides are joined, how long they waited, and what is no record of one."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.records.traces import Arrival, Outcome, RecordError, SentRequest, join_records
from tests.unit.loadtests.trace_rig import make_trace

times = st.floats(0, 2e9)
# Few characters, of which one would break a line.
texts = st.text("aé\n", max_size=4)
ids = st.sampled_from(["a", "b", "c", "d"])
arrivals = st.builds(Arrival, ids, times, st.none() | times)
sendings = st.builds(
    SentRequest,
    texts,
    st.sampled_from(["high", "low"]),
    times,
    times,
    st.sampled_from(["answered", "failed", "left"]),
    st.none() | st.integers(100, 599),
    texts,
    st.none() | times,
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ("request_id", "priority", "sent_at", "ended_at", "outcome", "status", "method", "accepted_at")
A_SENT: dict[str, Any] = {"request_id": "a", "priority": "high", "sent_at": 1, "ended_at": 2, "outcome": "answered"}


def made(request_id: str, sent_at: float) -> SentRequest:
    return SentRequest(request_id, "low", sent_at, sent_at + 1, "answered")


@given(sendings)
def test_what_was_sent_is_read_back_as_it_was_written(sent: SentRequest) -> None:
    """`from_dict` reverses `to_dict`."""
    assert SentRequest.from_dict(sent.to_dict()) == sent


def test_what_may_be_left_out_is_not_known() -> None:
    """A sent request may lack status, method and the time at the gateway; an arrival may lack end and status."""
    assert SentRequest.from_dict(A_SENT) == SentRequest("a", "high", 1.0, 2.0, "answered", None, "GET", None)
    assert Arrival.from_dict({"request_id": "a", "arrived_at": 1}) == Arrival("a", 1.0, None, None)


def test_further_members_do_no_harm() -> None:
    """Further members of the mock target's log are ignored."""
    assert Arrival.from_dict({"request_id": "a", "arrived_at": 1, "finished_at": 2, "in_flight": 3}) == Arrival(
        "a", 1, 2
    )


@pytest.mark.parametrize(("written", "status"), [(None, None), (200, 200), (500, 500)])
def test_an_arrival_has_the_status_that_the_target_answered(written: int | None, status: int | None) -> None:
    """An arrival has the status that the target sent; null means that there was no response."""
    assert Arrival.from_dict({"request_id": "a", "arrived_at": 1, "status": written}).status == status


@pytest.mark.parametrize("status", ["fine", [], float("nan")])
def test_a_status_is_a_number(status: object) -> None:
    """A status that is not a number is refused."""
    with pytest.raises(RecordError, match="is not an arrival"):
        Arrival.from_dict({"request_id": "a", "arrived_at": 1, "status": status})


def read_or_refuse(make: Callable[[Any], SentRequest | Arrival], record: Any) -> SentRequest | Arrival | str:
    """Return the result, or the text of the error."""
    try:
        return make(record)
    except RecordError as error:
        return str(error)


@given(anything | st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, anything)))
def test_garbage_is_no_sent_request(record: Any) -> None:
    """Any JSON value that is not a sent request is refused with a RecordError of one line."""
    said = read_or_refuse(SentRequest.from_dict, record)
    assert isinstance(said, str)
    assert "is not a sent request" in said
    assert "\n" not in said


@given(st.sampled_from(MEMBERS), anything)
def test_one_wrong_member_is_read_or_refused(member: str, value: Any) -> None:
    """Any value of a single member is read if it is valid; otherwise it raises a RecordError."""
    sent = read_or_refuse(SentRequest.from_dict, {**A_SENT, member: value})
    if isinstance(sent, SentRequest):
        assert sent.priority in ("high", "low")
        assert sent.outcome in ("answered", "failed", "left")
        assert all(-1e11 < at < 1e11 for at in (sent.sent_at, sent.ended_at, sent.accepted_at or 0.0))


@given(anything | st.fixed_dictionaries(dict.fromkeys(("request_id", "arrived_at", "finished_at", "status"), anything)))
def test_garbage_is_no_arrival(record: Any) -> None:
    """Any JSON value is read as an arrival, or refused with a RecordError of one line."""
    arrival = read_or_refuse(Arrival.from_dict, record)
    if isinstance(arrival, str):
        assert "is not an arrival" in arrival
        assert "\n" not in arrival
    elif isinstance(arrival, Arrival):
        assert all(-1e11 < at < 1e11 for at in (arrival.arrived_at, arrival.finished_at or 0.0))


@pytest.mark.parametrize("member", ["sent_at", "ended_at", "accepted_at"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400, 1_700_000_000_000, "soon", []])
def test_a_time_is_a_number_of_unix_seconds(member: str, value: object) -> None:
    """A time that is not finite, or not in unix seconds, is refused: NaN would never be late."""
    with pytest.raises(RecordError):
        SentRequest.from_dict({**A_SENT, member: value})
    with pytest.raises(RecordError):
        Arrival.from_dict({"request_id": "a", "arrived_at": value})
    with pytest.raises(RecordError):
        Arrival.from_dict({"request_id": "a", "arrived_at": 1, "finished_at": value})


@pytest.mark.parametrize(
    ("member", "value"),
    [("priority", "Urgent"), ("priority", "a b"), ("priority", 5), ("priority", None), ("outcome", "abandoned")],
)
def test_other_priorities_and_outcomes_are_refused(member: str, value: object) -> None:
    """An unknown priority or outcome is refused: no rule would judge it."""
    with pytest.raises(RecordError, match="its priority or outcome is unknown"):
        SentRequest.from_dict({**A_SENT, member: value})


@pytest.mark.parametrize("member", ["request_id", "priority", "sent_at", "ended_at", "outcome"])
def test_what_is_missing_is_named(member: str) -> None:
    """The error has the record and the member."""
    with pytest.raises(RecordError, match=rf"is not a sent request: KeyError\('{member}'\)"):
        SentRequest.from_dict({name: value for name, value in A_SENT.items() if name != member})


@given(st.lists(times, min_size=1, max_size=6), st.lists(arrivals, max_size=12))
def test_both_sides_are_joined_by_id(sent_at: list[float], log: list[Arrival]) -> None:
    """In the order of sending, each request has all arrivals with its id, oldest first, and no others."""
    sent = [made("abcdef"[index], at) for index, at in enumerate(sent_at)]
    traces = join_records(sent, log)
    assert [one.sent for one in traces] == sorted(sent, key=lambda one: one.sent_at)
    for trace in traces:
        mine = [one for one in log if one.request_id == trace.sent.request_id]
        assert sorted(trace.arrivals, key=repr) == sorted(mine, key=repr)
        assert all(first.arrived_at <= second.arrived_at for first, second in pairwise(trace.arrivals))


def test_arrivals_with_unknown_ids_do_not_count() -> None:
    """Arrivals with unknown ids are ignored: other clients may use the same target."""
    (trace,) = join_records([made("a", 1)], [Arrival("stranger", 1.5), Arrival("a", 2.0)])
    assert trace.arrivals == (Arrival("a", 2.0),)


def test_of_several_arrivals_the_first_is_the_place_in_the_order() -> None:
    """If a request arrived several times, its first arrival and the end of that attempt count."""
    (trace,) = join_records([made("a", 1)], [Arrival("a", 5.0, 6.0), Arrival("a", 2.0, 3.0)])
    assert (trace.arrived_at, trace.finished_at, trace.waited_until, trace.waited_seconds) == (2.0, 3.0, 2.0, 1)


@pytest.mark.parametrize(
    ("outcome", "waited_seconds"),
    [
        pytest.param("left", 10, id="its client left: it waited until then"),
        pytest.param("answered", 0, id="it was answered by somebody else: it is not known to have waited"),
        pytest.param("failed", 0, id="it failed: it is not known to have waited"),
    ],
)
def test_one_that_never_arrives_waited_as_long_as_is_known(outcome: Outcome, waited_seconds: float) -> None:
    """Of the requests that never arrive, only one whose client left while it waited has a known wait."""
    trace = make_trace("high-1", 5, None, ended_at=15, outcome=outcome)
    assert (trace.arrived_at, trace.finished_at) == (None, None)
    assert trace.waited_seconds == waited_seconds


@pytest.mark.parametrize("outcome", ["left", "answered", "failed"])
def test_one_that_arrives_waited_until_then(outcome: Outcome) -> None:
    """A request that arrives has waited until its arrival, with any outcome."""
    assert make_trace("high-1", 5, 8, ended_at=7, outcome=outcome).waited_seconds == 3


def test_two_requests_with_one_id_are_refused() -> None:
    """Requests with the same id are an error, and are not joined."""
    twice = [SentRequest("low-1", "low", at, at + 1, "answered") for at in (1.0, 2.0)]
    with pytest.raises(RecordError, match="two requests were sent as 'low-1'"):
        join_records(twice, [])
