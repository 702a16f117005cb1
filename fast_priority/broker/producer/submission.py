"""One request on its way to its queue, and the outcomes that this can have."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fast_priority.broker.jobs import JobTemplate
from fast_priority.broker.scripts import SubmittedRequest
from fast_priority.http.message import SlotTimes
from fast_priority.protocol.conversation import Conversation
from fast_priority.scheduling.priority import Priority

SUBMIT_SECONDS = 1.8
"""How long a submit may take. So a client has its answer within 2 s when Redis hangs."""
ASK_SECONDS = 0.2
"""The rest of the 2 s: how long Redis is asked about a submit whose answer was lost."""
_LEAST_SECONDS = 0.3  # with less time left, a submit is not written: it would only become uncertain

SubmitOutcome = Literal["started", "queued", "full", "late", "unsent", "absent", "lost", "unknown"]
"""The outcome of a submit.

- started: a slot of this gateway is taken for it. It was never queued.
- queued: the request is on its queue, or a worker has claimed it from there.
- full, late, unsent: it is not queued and never will be. The queue is full; Redis took too long; it was not written.
- absent: the answer was lost, and Redis was asked: the request is not queued and never will be.
- lost: Redis does not know it, and may have forgotten it. The target may have received it.
- unknown: the answer was lost, and Redis could not be asked in time.
"""
NEVER_QUEUED = ("started", "full", "late", "unsent", "absent")
"""After these outcomes nothing of the request is on a queue."""

Payload = Callable[[], bytes]
"""Returns a ForwardCall in its wire form: most requests that start at once never need it."""


@dataclass(slots=True, eq=False)
class Submission:
    """One request for the queue of its priority."""

    conversation: Conversation
    job_id: str
    priority: Priority
    payload: Payload
    description: str
    is_idempotent: bool
    ttl_seconds: int
    is_second: bool = False
    """Whether it is the second attempt, under a new id: it goes in front of all others, and there is no third one."""
    on_submit: Callable[[str], object] | None = None
    """Called with the id of each job that is submitted for it."""
    on_start: Callable[[], object] | None = None
    """Called in the moment in which a slot of this gateway is taken for it."""
    on_worker: Callable[[SlotTimes | None], object] | None = None
    """Called when a worker begins its answer, with how long it has had its slot for it."""
    until: float = field(default_factory=lambda: time.monotonic() + SUBMIT_SECONDS)
    """When its client gets an error if it is not queued by then, by `time.monotonic`."""
    sent: "asyncio.Future[SubmitOutcome] | None" = None
    """Has a result once the submit is over: after that, it changes nothing in Redis."""
    is_noted: bool = False
    _data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The `data` of its job."""
        if self._data is None:
            self._data = JobTemplate.data(self.payload())
        return self._data

    @property
    def is_timely(self) -> bool:
        """Whether there is time left to queue it."""
        return self.until - time.monotonic() >= _LEAST_SECONDS

    def as_row(self, now: str, ahead_seconds: float, *, with_data: bool = True) -> SubmittedRequest:
        """Return it as a script takes it. `now` is as rq writes times; Redis's clock is so many seconds ahead."""
        return SubmittedRequest(
            self.job_id,
            self.priority.value,
            self.data if with_data else b"",
            now,
            self.description,
            self.until + ahead_seconds,
            int(self.is_second),
            int(self.is_idempotent and not self.is_second),
            self.ttl_seconds,
        )

    def rename(self, job_id: str, conversation: Conversation) -> None:
        """Make it a new submission of the same request, with the time that is left."""
        self.job_id, self.conversation = job_id, conversation
        self.sent, self.is_noted = None, False


class Outbox(Protocol):
    """What brings submissions to Redis: `SubmitOutbox`, or `TurnOutbox` with slots of the gateway's own."""

    @property
    def is_blocked(self) -> bool:
        """Whether nothing is written now, because Redis does not answer."""
        ...

    def put(self, submission: Submission) -> None:
        """Send a submission with the next round trip."""
        ...

    def take_back(self, submission: Submission) -> bool:
        """Remove a submission that is not written yet. Return whether it was removed."""
        ...

    async def close(self) -> None:
        """Send no more."""
        ...
