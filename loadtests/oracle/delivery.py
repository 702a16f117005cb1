"""What else a gateway promises, beside the order: its limit, and that nothing is sent twice or too late. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtests.oracle.verdict import Finding, Verdict
from loadtests.records import Arrival, Outcome, Passage, Sent

# RFC 9110, section 9.2.2. A request with another method must never be sent again.
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
MOST_ARRIVALS_OF_ONE = 2
"""An idempotent request may be sent once more when its first attempt is known to be lost."""
ENOUGH_SATURATED_SHARE = 0.5
"""With every slot in use for less than this share of the time, a run was no saturated one."""
_ENOUGH_LEFT = 5


@dataclass(frozen=True, slots=True)
class Use:
    """How the slots were used while requests arrived: the most in flight at the target, and two shares of the time."""

    most_in_flight: int
    share_in_use: float
    """Slot time in use, of all slot time there was."""
    share_saturated: float
    """Time during which every slot was in use."""


def measure_use(passages: Iterable[Passage], slots: int, tolerance_seconds: float) -> Use:
    """Measure the use of the slots from the first arrival to the last one.

    A call counts from its arrival until the target was done with it. One that was answered ends with its answer at the
    latest: a target may write down the end just after that. Where the client had left, or got an error that may be the
    gateway's own, the target learns of it later than the gateway, which may have used the slot again: so a call that
    ends up to `tolerance_seconds` after that ends with it, and so does one of which no end is known. One that goes on
    for longer was not given up.
    """
    changes: list[tuple[float, int]] = []
    last_arrival = float("-inf")
    for passage in passages:
        for arrival in passage.arrivals:
            last_arrival = max(last_arrival, arrival.arrived_at)
            changes += [(arrival.arrived_at, 1), (_end_of_call(passage.sent, arrival, tolerance_seconds), -1)]
    # At one moment, who ends frees the slot for who comes: -1 sorts before 1.
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
        return Use(most, 0.0, 0.0)
    return Use(most, used_seconds / (slots * whole_seconds), saturated_seconds / whole_seconds)


def _end_of_call(sent: Sent, arrival: Arrival, tolerance_seconds: float) -> float:
    end = arrival.finished_at
    # What comes after the answer was not what has been answered.
    answered = is_answered_by_target(sent) and arrival.arrived_at <= sent.ended_at
    if end is None or (sent.ended_at < end and (answered or end <= sent.ended_at + tolerance_seconds)):
        end = sent.ended_at
    return max(arrival.arrived_at, end)


def is_answered_by_target(sent: Sent) -> bool:
    """Say whether it was answered with what is no gateway's own error: a status below 500, or one that is not known."""
    return sent.outcome == "answered" and not _is_error(sent.status)


def judge_limit(use: Use, slots: int) -> Finding:
    """Judge whether the target never had more than `slots` requests at once, in a run that came to that."""
    if use.most_in_flight > slots:
        reason = f"the target had {use.most_in_flight} requests at once, and there are {slots} slots"
        return Finding("limit", Verdict.VIOLATED, reason)
    if use.most_in_flight < slots:
        reason = f"at most {use.most_in_flight} of {slots} slots were ever in use: send more, or for longer"
        return Finding("limit", Verdict.UNPROVED, reason)
    return Finding("limit", Verdict.PROVED, f"never more than {slots} requests at the target at once")


def judge_saturation(use: Use, slots: int) -> Finding:
    """Judge whether the slots were in use together for long enough for their order to matter; it cannot be violated."""
    reason = f"all {slots} slots were in use for {use.share_saturated:.0%} of the time"
    if use.share_saturated < ENOUGH_SATURATED_SHARE:
        wanted = f"{reason}, and {ENOUGH_SATURATED_SHARE:.0%} are wanted: send more low requests"
        return Finding("saturated", Verdict.UNPROVED, wanted)
    return Finding("saturated", Verdict.PROVED, reason)


def judge_once(passages: Sequence[Passage]) -> Finding:
    """Judge whether no request reached the target more often than it may.

    That is once, and a second time only if it is idempotent and the target is not known to have answered the first.
    """
    repeated = [passage for passage in passages if len(passage.arrivals) > 1]
    wrong = tuple(map(_describe_repeated, filter(_comes_too_often, repeated)))
    if wrong:
        return Finding("once", Verdict.VIOLATED, f"{len(wrong)} requests were sent to the target again", wrong)
    arrived = sum(bool(passage.arrivals) for passage in passages)
    if not arrived:
        return Finding("once", Verdict.UNPROVED, "no request reached the target")
    again = f"; {len(repeated)} idempotent ones a second time, which they may" if repeated else ""
    return Finding("once", Verdict.PROVED, f"{arrived} requests reached the target, none too often{again}")


def _comes_too_often(passage: Passage) -> bool:
    first, *again = passage.arrivals
    is_lost = passage.sent.method in IDEMPOTENT_METHODS and first.status is None
    return len(again) > (MOST_ARRIVALS_OF_ONE - 1 if is_lost else 0)


def _describe_repeated(passage: Passage) -> str:
    sent, status = passage.sent, passage.arrivals[0].status
    answered = "" if status is None else f", and was answered {status} the first time"
    return f"{sent.method} {sent.request_id} reached the target {len(passage.arrivals)} times{answered}"


def judge_left(passages: Sequence[Passage], tolerance_seconds: float) -> Finding:
    """Judge whether requests whose client had left were no longer sent, `tolerance_seconds` after it had."""
    left = [passage for passage in passages if passage.sent.outcome == "left"]
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


def judge_answered(passages: Sequence[Passage], tolerance_seconds: float, *, errors_expected: bool = False) -> Finding:
    """Judge whether every request that somebody waited for has been answered by the target, and was not sent after.

    A status of 500 or more may be the gateway's own, for a request that it lost at the target: it counts as no answer,
    unless `errors_expected`, because the target was asked for errors. A request that reaches the target more than
    `tolerance_seconds` after its answer was sent for nobody.
    """
    waited_for = [passage for passage in passages if passage.sent.outcome != "left"]
    lost = tuple(
        f"{one.sent.request_id}: {'no response' if one.sent.status is None else one.sent.status}"
        f"{'' if one.arrivals else ', never reached the target'}"
        for one in waited_for
        if one.sent.outcome == "failed" or not one.arrivals or (not errors_expected and _is_error(one.sent.status))
    )
    late = _describe_late(passages, "answered", tolerance_seconds, "it had been answered")
    if lost or late:
        reasons = (
            f"{len(lost)} requests have no answer of the target" if lost else "",
            f"{len(late)} were sent although they had been answered already" if late else "",
        )
        return Finding("answered", Verdict.VIOLATED, "; ".join(filter(None, reasons)), (*lost, *late))
    if not waited_for:
        return Finding("answered", Verdict.UNPROVED, "nobody waited for an answer")
    return Finding("answered", Verdict.PROVED, f"all {len(waited_for)} requests were answered by the target")


def _describe_late(
    passages: Iterable[Passage], outcome: Outcome, tolerance_seconds: float, event: str
) -> tuple[str, ...]:
    """Describe each arrival of requests with this outcome that came after it, by more than the tolerance."""
    return tuple(
        f"{one.sent.request_id} reached the target {arrival.arrived_at - one.sent.ended_at:.3f} s after {event}"
        for one in passages
        if one.sent.outcome == outcome
        for arrival in one.arrivals
        if arrival.arrived_at > one.sent.ended_at + tolerance_seconds
    )


def _is_error(status: int | None) -> bool:
    return status is not None and status >= 500
