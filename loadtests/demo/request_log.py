"""The demo's book of its requests: what clients sent, and what the target says of it. The clock is an argument."""

import time
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fast_priority.priority import Priority
from loadtests.demo.verdict import Evidence, Look, Passage

_STRIP = 400  # wider than a terminal


@dataclass(slots=True)
class Lane:
    """What has become of the requests of one priority so far; lists are sorted."""

    answered: int = 0
    waits_seconds: list[float] = field(default_factory=list)
    overtakes: list[int] = field(default_factory=list)


class Ledger:
    """Joins what clients know of a request with the target's log of arrivals, by request id."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.lanes = {priority: Lane() for priority in Priority}
        self.last_started: deque[Passage] = deque(maxlen=_STRIP)
        self.most_in_flight = 0
        self.failures: Counter[str] = Counter()
        self._clock = clock
        self._last_sequence = 0
        self._unlogged = 0
        self._looks: list[Look] = []
        self._named: Counter[Priority] = Counter()
        self._not_started: dict[str, Passage] = {}
        self._started: list[Passage] = []

    def name(self, priority: Priority) -> str:
        """Give the id that the next request of this priority has to carry."""
        self._named[priority] += 1
        return f"{priority}-{self._named[priority]}"

    def send(self, request_id: str) -> None:
        """Note that a request has been handed to the network now."""
        priority = Priority(request_id.partition("-")[0])
        self._not_started[request_id] = Passage(request_id, priority, self._clock(), None)

    def look(self, begun_at: float) -> None:
        """Note that the gateway answers now what it was asked of its queues at `begun_at`."""
        self._looks.append(Look(begun_at, self._clock()))

    def answer(self, priority: Priority) -> None:
        """Note that a client has its answer from the target."""
        self.lanes[priority].answered += 1

    def fail(self, what: str) -> None:
        """Note that a client got something else, in a few words."""
        self.failures[what] += 1

    def read(self, arrivals: Iterable[Mapping[str, Any]]) -> None:
        """Take in the target's log, oldest first; what is known already is skipped."""
        for arrival in arrivals:
            if arrival["sequence"] > self._last_sequence:
                self._unlogged += arrival["sequence"] - self._last_sequence - 1
                self._last_sequence = arrival["sequence"]
                self.most_in_flight = max(self.most_in_flight, arrival["in_flight"])
                self._start(arrival["request_id"], arrival["arrived_at"])

    def evidence(self, slots: int) -> Evidence:
        """Give all that is known so far of a run with so many slots."""
        passages = [*self._started, *self._not_started.values()]
        return Evidence(passages, self._looks, slots, self.most_in_flight, self._troubles())

    def _troubles(self) -> list[str]:
        troubles = [
            f"{count} requests were not answered by the target: {what}" for what, count in self.failures.items()
        ]
        if self._unlogged:
            troubles.append(f"{self._unlogged} requests at the target are missing from its log")
        if any((passage.wait_seconds or 0) < 0 for passage in self._started):
            troubles.append("a request was started before it was sent: this machine's clock was set meanwhile")
        return troubles

    def _start(self, request_id: str | None, at: float) -> None:
        sent = self._not_started.pop(request_id or "", None)
        if sent is None:
            return
        passage = Passage(sent.request_id, sent.priority, sent.sent_at, at)
        self._started.append(passage)
        self.last_started.append(passage)
        lane = self.lanes[sent.priority]
        insort(lane.waits_seconds, at - sent.sent_at)
        if sent.priority is Priority.HIGH:
            waiting = self._not_started.values()
            overtaken = sum(one.priority is Priority.LOW and one.sent_at < sent.sent_at for one in waiting)
            insort(lane.overtakes, overtaken)
