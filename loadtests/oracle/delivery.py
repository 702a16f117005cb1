"""The other promises of a gateway: its limit, and that no request is sent twice, lost, or sent too late. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtests.oracle.verdict import Finding, Verdict
from loadtests.records import Arrival, Outcome, RequestTrace, SentRequest

# RFC 9110, section 9.2.2. A request with another method must never be retried.
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
MOST_ARRIVALS_OF_ONE = 2
"""An idempotent request may be retried once if its first attempt is known to be lost."""
ENOUGH_SATURATED_SHARE = 0.5
"""A run is saturated if all slots were in use for at least this share of the time."""
_ENOUGH_LEFT = 5


@dataclass(frozen=True, slots=True)
class SlotUse:
    """How the slots were used while requests arrived: the maximum in flight, and two shares of the time."""

    most_in_flight: int
    share_in_use: float
    """Slot time in use, as a share of all slot time."""
    share_saturated: float
    """Time during which every slot was in use."""


def measure_slot_use(traces: Iterable[RequestTrace], slots: int, tolerance_seconds: float) -> SlotUse:
    """Return the use of the slots from the first arrival to the last one.

    A request counts from its arrival until the target finished it. One with a response ends with the response at the
    latest: a target may log the end just after that. If the client left, or got an error that may be the gateway's own,
    the target notices it later than the gateway, which may have reused the slot: so a request that ends up to
    `tolerance_seconds` after that counts as ended with it, and so does one without a known end. One that continues for
    longer was not cancelled.
    """
    changes: list[tuple[float, int]] = []
    last_arrival = float("-inf")
    for trace in traces:
        for arrival in trace.arrivals:
            last_arrival = max(last_arrival, arrival.arrived_at)
            changes += [(arrival.arrived_at, 1), (_end_of_call(trace.sent, arrival, tolerance_seconds), -1)]
    # At the same time, a request that ends frees the slot for one that arrives: -1 sorts before 1.
    changes.sort()
    in_flight = most = 0
    used_seconds = saturated_seconds = 0.0
    before = changes[0][0] if changes else 0.0
    for at, change in changes:
        lasted_seconds = max(0.0, min(at, last_arrival) - before)
        used_seconds += min(in_flight, slots) * lasted_seconds
        saturated_seconds += lasted_seconds if in_flight >= slots else 0.0
        before = at
        in_flight += change
        most = max(most, in_flight)
    whole_seconds = last_arrival - changes[0][0] if changes else 0.0
    if whole_seconds <= 0:
        return SlotUse(most, 0.0, 0.0)
    return SlotUse(most, used_seconds / (slots * whole_seconds), saturated_seconds / whole_seconds)


def _end_of_call(sent: SentRequest, arrival: Arrival, tolerance_seconds: float) -> float:
    end = arrival.finished_at
    # An arrival after the response is not the one that was answered.
    answered = is_answered_by_target(sent) and arrival.arrived_at <= sent.ended_at
    if end is None or (sent.ended_at < end and (answered or end <= sent.ended_at + tolerance_seconds)):
        end = sent.ended_at
    return max(arrival.arrived_at, end)


def is_answered_by_target(sent: SentRequest) -> bool:
    """Return whether the response is certainly the target's: a status below 500, or an unknown one."""
    return sent.outcome == "answered" and not _is_error(sent.status)


def judge_limit(use: SlotUse, slots: int) -> Finding:
    """Return whether the target never had more than `slots` requests at once, in a run that used all slots."""
    if use.most_in_flight > slots:
        reason = f"the target had {use.most_in_flight} requests at once, and there are {slots} slots"
        return Finding("limit", Verdict.VIOLATED, reason)
    if use.most_in_flight < slots:
        reason = f"at most {use.most_in_flight} of {slots} slots were ever in use: send more, or for longer"
        return Finding("limit", Verdict.UNPROVED, reason)
    return Finding("limit", Verdict.PROVED, f"never more than {slots} requests at the target at once")


def judge_saturation(use: SlotUse, slots: int) -> Finding:
    """Return whether all slots were in use for long enough for the order to matter; it cannot be violated."""
    reason = f"all {slots} slots were in use for {use.share_saturated:.0%} of the time"
    if use.share_saturated < ENOUGH_SATURATED_SHARE:
        wanted = f"{reason}, and {ENOUGH_SATURATED_SHARE:.0%} are wanted: send more low requests"
        return Finding("saturated", Verdict.UNPROVED, wanted)
    return Finding("saturated", Verdict.PROVED, reason)


def judge_duplicates(traces: Sequence[RequestTrace]) -> Finding:
    """Return whether no request reached the target too often.

    Once is allowed, and a second time only if it is idempotent and the first attempt has no known response.
    """
    repeated = [trace for trace in traces if len(trace.arrivals) > 1]
    wrong = tuple(map(_describe_repeated, filter(_comes_too_often, repeated)))
    if wrong:
        return Finding("once", Verdict.VIOLATED, f"{len(wrong)} requests were sent to the target again", wrong)
    arrived = sum(bool(trace.arrivals) for trace in traces)
    if not arrived:
        return Finding("once", Verdict.UNPROVED, "no request reached the target")
    again = f"; {len(repeated)} idempotent ones a second time, which is allowed" if repeated else ""
    return Finding("once", Verdict.PROVED, f"{arrived} requests reached the target, none too often{again}")


def _comes_too_often(trace: RequestTrace) -> bool:
    first, *again = trace.arrivals
    is_lost = trace.sent.method in IDEMPOTENT_METHODS and first.status is None
    return len(again) > (MOST_ARRIVALS_OF_ONE - 1 if is_lost else 0)


def _describe_repeated(trace: RequestTrace) -> str:
    sent, status = trace.sent, trace.arrivals[0].status
    answered = "" if status is None else f", and was answered {status} the first time"
    return f"{sent.method} {sent.request_id} reached the target {len(trace.arrivals)} times{answered}"


def judge_abandoned(traces: Sequence[RequestTrace], tolerance_seconds: float) -> Finding:
    """Return whether no request was sent more than `tolerance_seconds` after its client had left."""
    left = [trace for trace in traces if trace.sent.outcome == "left"]
    late = _describe_late(left, "left", tolerance_seconds, "its client left")
    if late:
        return Finding("left", Verdict.VIOLATED, f"{len(late)} requests were sent for clients that had left", late)
    never = sum(one.arrived_at is None for one in left)
    if never < _ENOUGH_LEFT:
        reason = f"{never} clients left while their request waited, and {_ENOUGH_LEFT} are wanted; let it last longer"
        return Finding("left", Verdict.UNPROVED, reason)
    return Finding(
        "left", Verdict.PROVED, f"{never} clients left while waiting, and the target never saw their requests"
    )


def judge_answered(
    traces: Sequence[RequestTrace], tolerance_seconds: float, *, errors_expected: bool = False
) -> Finding:
    """Return whether every request whose client waited has a response of the target, and was not sent after it.

    A status of 500 or more may be the gateway's own, for a request that it lost at the target: it counts as no
    response, unless `errors_expected`, because the target was set to return errors. A request that reaches the target
    more than `tolerance_seconds` after its response was sent for nothing.
    """
    waited_for = [trace for trace in traces if trace.sent.outcome != "left"]
    lost = tuple(
        f"{one.sent.request_id}: {'no response' if one.sent.status is None else one.sent.status}"
        f"{'' if one.arrivals else ', never reached the target'}"
        for one in waited_for
        if one.sent.outcome == "failed" or not one.arrivals or (not errors_expected and _is_error(one.sent.status))
    )
    late = _describe_late(traces, "answered", tolerance_seconds, "it had been answered")
    if lost or late:
        reasons = (
            f"{len(lost)} requests have no response of the target" if lost else "",
            f"{len(late)} were sent although they had been answered already" if late else "",
        )
        return Finding("answered", Verdict.VIOLATED, "; ".join(filter(None, reasons)), (*lost, *late))
    if not waited_for:
        return Finding("answered", Verdict.UNPROVED, "no client waited for a response")
    return Finding("answered", Verdict.PROVED, f"all {len(waited_for)} requests were answered by the target")


def _describe_late(
    traces: Iterable[RequestTrace], outcome: Outcome, tolerance_seconds: float, event: str
) -> tuple[str, ...]:
    """Return a line for each arrival that is later than the outcome by more than the tolerance."""
    return tuple(
        f"{one.sent.request_id} reached the target {arrival.arrived_at - one.sent.ended_at:.3f} s after {event}"
        for one in traces
        if one.sent.outcome == outcome
        for arrival in one.arrivals
        if arrival.arrived_at > one.sent.ended_at + tolerance_seconds
    )


def _is_error(status: int | None) -> bool:
    return status is not None and status >= 500
