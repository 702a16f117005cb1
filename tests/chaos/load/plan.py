"""One request of a load: what is sent, and how it ended for its client. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from loadtests.records import SentRequest

Priority = Literal["high", "low"]
IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
WITH_BODY = frozenset({"POST", "PUT"})
SOCKET_MESSAGES = 3


class Kind(StrEnum):
    """What a request transfers."""

    SHORT = "short"
    UPLOAD = "upload"
    DOWNLOAD = "download"
    SOCKET = "WebSocket"
    DECLINED_SOCKET = "declined WebSocket"

    @property
    def is_transfer(self) -> bool:
        """Return whether a body is transferred at a limited rate."""
        return self in (Kind.UPLOAD, Kind.DOWNLOAD)


class Outcome(StrEnum):
    """How a request ended for its client."""

    ANSWERED = "answered"
    BROKEN_OFF = "broken off"
    CLOSED = "closed without a response"
    REFUSED = "connection refused"
    LEFT = "left"
    UNANSWERED = "never answered"
    WRONG = "another request's answer"


@dataclass(frozen=True, slots=True)
class Plan:
    """One request to be sent.

    `leaves_after_seconds` is when the client disconnects, None for one that waits. `latency` is the time at the target,
    in the mock target's notation. A transfer has `size_bytes` at `bytes_per_second`; a WebSocket has neither.
    """

    request_id: str
    after_seconds: float
    method: str
    priority: Priority
    gateway: int = 0
    kind: Kind = Kind.SHORT
    leaves_after_seconds: float | None = None
    latency: str = "0"
    size_bytes: int = 300_000
    bytes_per_second: int = 2_000_000

    @property
    def target(self) -> str:
        """Return path and query."""
        if self.kind is Kind.SOCKET:  # the mock target has one path for all WebSockets
            return f"/mock/websocket?close_after={SOCKET_MESSAGES}"
        path = f"/{self.priority}/{self.request_id}?mock_latency={self.latency}"
        sized = f"&mock_size={self.size_bytes}&mock_bandwidth={self.bytes_per_second}"
        return path + (sized if self.kind is Kind.DOWNLOAD else "")

    @property
    def is_idempotent(self) -> bool:
        """Return whether the request may reach the target twice."""
        return self.method in IDEMPOTENT


@dataclass(frozen=True, slots=True)
class Done:
    """How one request ended; times are unix seconds."""

    plan: Plan
    sent_at: float
    ended_at: float
    outcome: Outcome
    status: int | None = None
    slug: str = ""
    retry_after: str | None = None

    def __str__(self) -> str:
        return (
            f"{self.plan.method} {self.plan.kind} {self.plan.request_id} by gateway {self.plan.gateway}, "
            f"sent at {self.sent_at:.3f}: {self.outcome}, {self.answer} at {self.ended_at:.3f}"
        )

    @property
    def answer(self) -> str:
        """Return status and error type, such as "502 request-lost", and the outcome unless it is ANSWERED."""
        text = f"{self.status or ''} {self.slug}".strip()
        return text if self.outcome is Outcome.ANSWERED else f"{text} {self.outcome}".strip()

    def as_sent(self) -> SentRequest:
        """Return the record for the oracle of ordering."""
        outcome: Literal["answered", "left", "failed"] = "failed"
        if self.outcome is Outcome.LEFT:
            outcome = "left"
        elif self.outcome is Outcome.ANSWERED:
            outcome = "answered"
        plan = self.plan
        return SentRequest(
            plan.request_id, plan.priority, self.sent_at, self.ended_at, outcome, self.status, plan.method
        )
