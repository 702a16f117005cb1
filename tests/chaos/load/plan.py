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
    """What a request carries."""

    SHORT = "short"
    UPLOAD = "upload"
    DOWNLOAD = "download"
    SOCKET = "WebSocket"
    DECLINED_SOCKET = "declined WebSocket"

    @property
    def is_transfer(self) -> bool:
        """Whether it carries a body that takes its time."""
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

    `leaves_after_seconds` is for a client that does not wait. `latency` is how long the target takes, as the mock
    target reads it. A transfer has `size_bytes` at `bytes_per_second`; a WebSocket has neither.
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
        if self.kind is Kind.SOCKET:  # the mock target has one path for all of them
            return f"/mock/websocket?close_after={SOCKET_MESSAGES}"
        path = f"/{self.priority}/{self.request_id}?mock_latency={self.latency}"
        sized = f"&mock_size={self.size_bytes}&mock_bandwidth={self.bytes_per_second}"
        return path + (sized if self.kind is Kind.DOWNLOAD else "")

    @property
    def is_idempotent(self) -> bool:
        """Whether the request may reach the target twice."""
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
        """Return the status and the kind of error, such as "502 request-lost"; how it ended where that says more."""
        told = f"{self.status or ''} {self.slug}".strip()
        return told if self.outcome is Outcome.ANSWERED else f"{told} {self.outcome}".strip()

    def as_sent(self) -> SentRequest:
        """Return it as the oracle for ordering wants it."""
        outcome: Literal["answered", "left", "failed"] = "failed"
        if self.outcome is Outcome.LEFT:
            outcome = "left"
        elif self.outcome is Outcome.ANSWERED:
            outcome = "answered"
        plan = self.plan
        return SentRequest(
            plan.request_id, plan.priority, self.sent_at, self.ended_at, outcome, self.status, plan.method
        )
