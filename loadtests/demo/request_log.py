"""The log of the demo's requests: what clients sent, and what reached the target. The clock is an argument."""

import time
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from loadtests.demo.verdict import DemoRequest, Evidence, QueueSample

_STRIP = 400  # wider than a terminal


@dataclass(slots=True)
class LaneStats:
    """The results of the requests of one priority so far; lists are sorted."""

    answered: int = 0
    waits_seconds: list[float] = field(default_factory=list)
    overtakes: list[int] = field(default_factory=list)


class RequestLog:
    """Joins sent requests with the target's arrival log, by request id."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.lanes = {priority: LaneStats() for priority in DEFAULT_LEVELS}
        self.last_started: deque[DemoRequest] = deque(maxlen=_STRIP)
        self.most_in_flight = 0
        self.failures: Counter[str] = Counter()
        self._clock = clock
        self._last_sequence = 0
        self._unlogged = 0
        self._queue_samples: list[QueueSample] = []
        self._created: Counter[Priority] = Counter()
        self._not_started: dict[str, DemoRequest] = {}
        self._started: list[DemoRequest] = []

    def next_request_id(self, priority: Priority) -> str:
        """Return the id of the next request of this priority."""
        self._created[priority] += 1
        return f"{priority}-{self._created[priority]}"

    def record_sent(self, request_id: str) -> None:
        """Record that a request is sent now."""
        priority = Priority(request_id.partition("-")[0])
        self._not_started[request_id] = DemoRequest(request_id, priority, self._clock(), None)

    def record_queue_sample(self, begun_at: float) -> None:
        """Record that the gateway responds now to a health request that was sent at `begun_at`."""
        self._queue_samples.append(QueueSample(begun_at, self._clock()))

    def record_response(self, priority: Priority) -> None:
        """Record that a client has the target's response."""
        self.lanes[priority].answered += 1

    def record_failure(self, what: str) -> None:
        """Record a failed request, with the reason in a few words."""
        self.failures[what] += 1

    def add_arrivals(self, arrivals: Iterable[Mapping[str, Any]]) -> None:
        """Add the target's log, oldest first; known arrivals are skipped."""
        for arrival in arrivals:
            if arrival["sequence"] > self._last_sequence:
                self._unlogged += arrival["sequence"] - self._last_sequence - 1
                self._last_sequence = arrival["sequence"]
                self.most_in_flight = max(self.most_in_flight, arrival["in_flight"])
                self._start(arrival["request_id"], arrival["arrived_at"])

    def evidence(self, slots: int) -> Evidence:
        """Return the evidence of a run with `slots` slots so far."""
        requests = [*self._started, *self._not_started.values()]
        return Evidence(requests, self._queue_samples, slots, self.most_in_flight, self._problems())

    def _problems(self) -> list[str]:
        problems = [f"{count} requests have no response of the target: {what}" for what, count in self.failures.items()]
        if self._unlogged:
            problems.append(f"{self._unlogged} requests at the target are missing from its log")
        if any((request.wait_seconds or 0) < 0 for request in self._started):
            problems.append("a request was started before it was sent: the clock of this machine was set meanwhile")
        return problems

    def _start(self, request_id: str | None, at: float) -> None:
        sent = self._not_started.pop(request_id or "", None)
        if sent is None:
            return
        request = DemoRequest(sent.request_id, sent.priority, sent.sent_at, at)
        self._started.append(request)
        self.last_started.append(request)
        lane = self.lanes[sent.priority]
        insort(lane.waits_seconds, at - sent.sent_at)
        if sent.priority is Priority.HIGH:
            waiting = self._not_started.values()
            overtaken = sum(one.priority is Priority.LOW and one.sent_at < sent.sent_at for one in waiting)
            insort(lane.overtakes, overtaken)
