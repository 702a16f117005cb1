"""The traffic of a soak: which requests are sent when, drawn from a seed, and what came of each. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from loadtests.passages import Sent

Priority = Literal["high", "low"]
SERVICE_SECONDS = 0.1
_METHODS = {"GET": 50, "POST": 30, "PUT": 10, "DELETE": 10}
_WITH_BODY = frozenset({"POST", "PUT"})
_HIGH_SHARE = 0.4
_STREAMED_SHARE = 0.05
_LEAVER_SHARE = 0.03
_LONGEST_STAY_SECONDS = 0.5
STREAMED_BYTES = 300_000
# Now and then many high requests come at once: the last of them wait for so long that an inversion would be seen.
_BURST_EVERY = 300
_BURST = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """One request to be sent. `leaves_after_seconds` is for a client that does not wait."""

    request_id: str
    after_seconds: float
    method: str
    priority: Priority
    gateway: int
    uploads: bool
    downloads: bool
    leaves_after_seconds: float | None

    @property
    def target(self) -> str:
        """Give path and query."""
        latency = f"/{self.priority}/{self.request_id}?mock_latency=exponential:{SERVICE_SECONDS}"
        return latency + (f"&mock_size={STREAMED_BYTES}&mock_bandwidth=2000000" if self.downloads else "")


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
class Done:
    """What came of one request; times are unix seconds."""

    plan: Plan
    sent_at: float
    ended_at: float
    outcome: Outcome
    status: int | None = None
    slug: str = ""

    def as_sent(self) -> Sent:
        """Give it as the oracle wants it."""
        outcome: Literal["answered", "left", "failed"] = "failed"
        if self.outcome is Outcome.LEFT:
            outcome = "left"
        elif self.outcome is Outcome.ANSWERED:
            outcome = "answered"
        plan = self.plan
        return Sent(plan.request_id, plan.priority, self.sent_at, self.ended_at, outcome, self.status, plan.method)


def plan_traffic(seed: int, requests_per_second: float, gateways: int) -> Iterator[Plan]:
    """Give requests without end, at random times of that rate, and bursts beside; always the same ones for a seed."""
    chance = random.Random(seed)
    after_seconds, number = 0.0, 0
    while True:
        after_seconds += chance.expovariate(requests_per_second)
        if chance.random() < 1 / _BURST_EVERY:
            for _ in range(_BURST):
                number += 1
                gateway = chance.randrange(gateways)
                yield Plan(f"{seed}-{number}", after_seconds, "GET", "high", gateway, False, False, None)
        number += 1
        method = chance.choices(list(_METHODS), list(_METHODS.values()))[0]
        streams = chance.random() < _STREAMED_SHARE
        leaves = chance.random() < _LEAVER_SHARE
        yield Plan(
            request_id=f"{seed}-{number}",
            after_seconds=after_seconds,
            method=method,
            priority="high" if chance.random() < _HIGH_SHARE else "low",
            gateway=chance.randrange(gateways),
            uploads=streams and method in _WITH_BODY,
            downloads=streams and method == "GET",
            leaves_after_seconds=chance.uniform(0.0, _LONGEST_STAY_SECONDS) if leaves else None,
        )
