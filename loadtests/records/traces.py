"""The nouns of a run: what was sent, what arrived at the target, and both joined. Pure.

All times are unix seconds. Sender and target need one clock, or clocks that agree to well within the tolerance that is
judged with. Files of these are NDJSON, one object a line, in the shape that `to_dict` gives and `from_dict` reads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Priority = Literal["high", "low"]
Outcome = Literal["answered", "failed", "left"]
"""How a request ended for its sender: with a response of any status, without one, or it did not wait for it."""

# In the year 5138. Times in milliseconds lie beyond it already, and would be judged with a tolerance in seconds.
_END_OF_TIME_SECONDS = 1e11


class RecordError(ValueError):
    """Says which record cannot be read, and why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as its sender saw it, from sending it to its outcome.

    `status` is None without a response. By `accepted_at` it was on the gateway's queue for certain; None: nobody has
    seen it there.
    """

    request_id: str
    priority: Priority
    sent_at: float
    ended_at: float
    outcome: Outcome
    status: int | None = None
    method: str = "GET"
    accepted_at: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Sent":
        """Read it back.

        Raises RecordError where a member is missing, a time is no number of unix seconds, a status no number, or where
        the priority or the outcome is none of ours.
        """
        try:
            sent = cls(
                request_id=str(record["request_id"]),
                priority=record["priority"],
                sent_at=_seconds(record["sent_at"]),
                ended_at=_seconds(record["ended_at"]),
                outcome=record["outcome"],
                status=None if record.get("status") is None else int(record["status"]),
                method=str(record.get("method", "GET")),
                accepted_at=None if record.get("accepted_at") is None else _seconds(record["accepted_at"]),
            )
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise RecordError(f"{record!r} is no sent request: {error!r}") from error
        if sent.priority not in get_args(Priority) or sent.outcome not in get_args(Outcome):
            raise RecordError(f"{record!r} is no sent request: its priority or outcome is none of ours")
        return sent


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as the target saw it.

    `finished_at` is None if it never was. `status` is what the target answered; None: it never did, or it is not known.
    """

    request_id: str
    arrived_at: float
    finished_at: float | None = None
    status: int | None = None

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Arrival":
        """Read it from a line of an arrival log.

        Raises RecordError where a member is missing, a time is no number of unix seconds, or a status no number.
        """
        try:
            finished_at = record.get("finished_at")
            return cls(
                request_id=str(record["request_id"]),
                arrived_at=_seconds(record["arrived_at"]),
                finished_at=None if finished_at is None else _seconds(finished_at),
                status=None if record.get("status") is None else int(record["status"]),
            )
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise RecordError(f"{record!r} is no arrival: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Passage:
    """One request on its whole way: what its sender knows of it, and each time that it reached the target, in order."""

    sent: Sent
    arrivals: tuple[Arrival, ...] = ()

    @property
    def arrived_at(self) -> float | None:
        """When it first reached the target; None: never."""
        return self.arrivals[0].arrived_at if self.arrivals else None

    @property
    def finished_at(self) -> float | None:
        """When the target was done with it for the first time; None: never, or it is not known."""
        return self.arrivals[0].finished_at if self.arrivals else None

    @property
    def waited_until(self) -> float:
        """When it stopped waiting: it reached the target, or its sender had no more use for that."""
        if self.arrived_at is not None:
            return self.arrived_at
        # Without a place in the order, it may never have been on a queue: it is not known to have waited at all.
        return self.sent.ended_at if self.sent.outcome == "left" else self.sent.sent_at

    @property
    def waited_seconds(self) -> float:
        """How long it waited, transit included."""
        return self.waited_until - self.sent.sent_at


def join(sent: Iterable[Sent], arrivals: Iterable[Arrival]) -> tuple[Passage, ...]:
    """Join both sides by request id, in the order of sending; arrivals that nobody here sent do not count.

    Raises RecordError if two requests were sent with the same id: nobody could tell their arrivals apart.
    """
    by_id: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        by_id.setdefault(arrival.request_id, []).append(arrival)
    passages: dict[str, Passage] = {}
    for one in sorted(sent, key=lambda one: one.sent_at):
        if one.request_id in passages:
            raise RecordError(f"two requests were sent as {one.request_id!r}: give each an id of its own")
        own = sorted(by_id.get(one.request_id, ()), key=lambda arrival: arrival.arrived_at)
        passages[one.request_id] = Passage(one, tuple(own))
    return tuple(passages.values())


def _seconds(value: Any) -> float:
    seconds = float(value)
    # NaN is neither earlier nor later than anything: with one of it, an order would say anything.
    if not abs(seconds) < _END_OF_TIME_SECONDS:
        raise ValueError(f"{value!r} is no time in unix seconds; are these milliseconds?")
    return seconds
