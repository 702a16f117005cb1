"""The records of a run: what was sent, what arrived at the target, and both joined. Pure.

All times are unix seconds. Sender and target need one clock, or clocks whose difference is well below the
tolerance. Files of these are NDJSON, one object a line, as `to_dict` returns and `from_dict` reads.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

Priority: TypeAlias = str
"""The name of a level: a small letter, and up to 15 small letters or digits."""
LEVELS: tuple[Priority, ...] = ("high", "low")
"""The levels of most gateways, the most important first."""
_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
Outcome = Literal["answered", "failed", "left"]
"""How a request ended for its sender: with a response of any status, without one, or the client left before it."""

# The year 5138. Times in milliseconds are above it, and would be judged with a tolerance in seconds.
_END_OF_TIME_SECONDS = 1e11


class RecordError(ValueError):
    """A record cannot be read or written; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request as its sender saw it, from sending it to its outcome.

    `status` is None without a response. At `accepted_at` it was certainly in the gateway's queue; None: not known.
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
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "SentRequest":
        """Read it back.

        Raises RecordError if a member is missing, a time is not in unix seconds, a status is not a number, or the
        priority or the outcome is unknown.
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
            raise RecordError(f"{record!r} is not a sent request: {error!r}") from error
        if not _is_level(sent.priority) or sent.outcome not in get_args(Outcome):
            raise RecordError(f"{record!r} is not a sent request: its priority or outcome is unknown")
        return sent


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as the target saw it.

    `finished_at` is None if it never finished. `status` is that of the target's response; None: none, or not known.
    """

    request_id: str
    arrived_at: float
    finished_at: float | None = None
    status: int | None = None

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Arrival":
        """Read it from a line of an arrival log.

        Raises RecordError if a member is missing, a time is not in unix seconds, or a status is not a number.
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
            raise RecordError(f"{record!r} is not an arrival: {error!r}") from error


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """One request from sender to target: what its sender recorded, and its arrivals at the target, in order."""

    sent: SentRequest
    arrivals: tuple[Arrival, ...] = ()

    @property
    def arrived_at(self) -> float | None:
        """When it first reached the target; None: never."""
        return self.arrivals[0].arrived_at if self.arrivals else None

    @property
    def finished_at(self) -> float | None:
        """When the target first finished it; None: never, or not known."""
        return self.arrivals[0].finished_at if self.arrivals else None

    @property
    def waited_until(self) -> float:
        """When it stopped waiting: it reached the target, or its client left."""
        if self.arrivals:
            return self.arrivals[0].arrived_at
        # It has no place in the order and may never have been queued, so it is not known to have waited.
        return self.sent.ended_at if self.sent.outcome == "left" else self.sent.sent_at

    @property
    def waited_seconds(self) -> float:
        """How long it waited, transit included."""
        return self.waited_until - self.sent.sent_at


def join_records(sent: Iterable[SentRequest], arrivals: Iterable[Arrival]) -> tuple[RequestTrace, ...]:
    """Return both sides joined by request id, in the order of sending; arrivals with other ids are ignored.

    Raises RecordError if two requests were sent with the same id: their arrivals cannot be distinguished.
    """
    by_id: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        by_id.setdefault(arrival.request_id, []).append(arrival)
    traces: dict[str, RequestTrace] = {}
    for one in sorted(sent, key=lambda one: one.sent_at):
        if one.request_id in traces:
            raise RecordError(f"two requests were sent as {one.request_id!r}: every id must be unique")
        own = sorted(by_id.get(one.request_id, ()), key=lambda arrival: arrival.arrived_at)
        traces[one.request_id] = RequestTrace(one, tuple(own))
    return tuple(traces.values())


def _seconds(value: Any) -> float:
    seconds = float(value)
    # NaN is neither earlier nor later than any time: an order with NaN is meaningless.
    if not abs(seconds) < _END_OF_TIME_SECONDS:
        raise ValueError(f"{value!r} is not a time in unix seconds; are these milliseconds?")
    return seconds


def _is_level(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None
