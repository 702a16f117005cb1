"""What happens to a request, as types, and the listeners that get it.

A process of Fast Priority has one of two roles: it is a gateway or a worker. Both publish; a metric, a log or a trace
subscribes. The code of neither role knows who listens. An event is built only if its type has a listener, so the code
that publishes checks first:

    if events.retried:
        publish(events.retried, Retried(scope, error, record))

A gateway publishes for each request Received, then Queued for each submit to a queue and Retried between two attempts,
and in the end exactly one of LAST. It publishes to the Events of its application (`GatewayApp.events`).

A PriorityWorker publishes SlotTaken and SlotFreed for each claim that gets a slot: for all but those whose client left
before the worker knew of the claim. It publishes to its own Events (`PriorityWorker.events`), in its own process. The
job id of Queued, SlotTaken and SlotFreed tells which events belong together.

Nothing is published for requests that `server` itself refuses (a malformed head, too many connections), for the
gateway's own pages, and by stock rq workers.
"""

import enum
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeAlias, TypeVar

from fast_priority.errors import GatewayError
from fast_priority.scheduling.priority import Priority

logger = logging.getLogger(__name__)

PASS_THROUGH = "pass_through"  # noqa: S105 - a path that skips the queues, and no word that opens a door
"""The level of a request that skips the queues."""
NO_LEVEL = "none"
"""The level of a request that has none yet, or was refused before it had one."""

_STATUS_WITHOUT_SLOT = 503  # no error that a slot is needed for has it
_STATUSES_OF_FAILURES = frozenset({500, 502, 504})

Scope: TypeAlias = Mapping[str, Any]
"""The request's ASGI scope: its method, path, fields and client. All events of one request have the same object."""


class RequestRecord:
    """What the gateway knows of one request so far. All events of a request have the same object, which changes.

    Times are those of `time.monotonic`. They are of the attempt that is made now, or was the last.
    """

    __slots__ = (
        "attempt",
        "has_slot",
        "is_of_target",
        "key",
        "level",
        "queue_until",
        "received_at",
        "request_id",
        "rule",
        "sent_bytes",
        "status",
        "target_until",
    )

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        """The name of the request in logs: its X-Request-ID."""
        self.received_at = monotonic()
        self.level = NO_LEVEL
        """The name of its level, or PASS_THROUGH, or NO_LEVEL."""
        self.rule: str | None = None
        """The name of the rule that has decided about it; None if none has."""
        self.key: str | None = None
        """The name of the key that it has shown; None without a known one."""
        self.attempt = 1
        self.has_slot = False
        """Whether it was sent to the target, or is known to have had a slot."""
        self.queue_until: float | None = None
        """When it got its slot, or was answered with an error while it waited; None before, and if that is unknown."""
        self.target_until: float | None = None
        """When the head of the target's response came, or an error in its place; None before."""
        self.is_of_target = False
        """Whether the response is the target's; if not, it is the gateway's own."""
        self.status = 0
        """The status that the client was sent; 0 before that."""
        self.sent_bytes = 0
        """The size of the response's body, as far as it was sent."""

    @property
    def is_queued(self) -> bool:
        """Whether it has to have a slot."""
        return self.level not in (PASS_THROUGH, NO_LEVEL)

    @property
    def queue_seconds(self) -> float | None:
        """How long it has waited for a slot; None if it has not, or that is unknown."""
        if self.queue_until is None or not self.is_queued:
            return None
        return self.queue_until - self.received_at

    @property
    def target_seconds(self) -> float | None:
        """How long the head of the target's response took from then on; None if there was none, or it is unknown."""
        if self.queue_until is None or self.target_until is None:
            return None
        return self.target_until - self.queue_until

    def ended_at(self) -> float:
        """Return the present time: to be asked while its last event is published."""
        return monotonic()

    def note_level(self, level: Priority | None) -> None:
        """Note its level; None: it skips the queues."""
        self.level = PASS_THROUGH if level is None else level.value

    def note_slot(self) -> None:
        """Note that it has a slot, or needs none, and goes to the target. Only the first call counts."""
        if not self.has_slot:
            self.has_slot, self.queue_until = True, monotonic()

    def note_head(self, at: float | None = None) -> None:
        """Note that the head of the target's response has come, now or at that time."""
        self.target_until = at or monotonic()

    def note_worker(self, until_sent: float, until_head: float | None) -> None:
        """Note how many seconds a worker has had its slot for it until it sent what has come now, and until the head.

        The way from the worker to here counts as time in the queue. What a worker says is made to fit.
        """
        now = monotonic()
        self.has_slot, self.queue_until = True, max(now - until_sent, self.received_at)
        if until_head is not None:
            self.target_until = min(self.queue_until + until_head, now)

    def note_error(self, status: int) -> None:
        """Note that the gateway answers with an error of this status."""
        now = monotonic()
        if self.has_slot and self.target_until is None:
            self.target_until = now
        elif not self.has_slot and self.queue_until is None and status == _STATUS_WITHOUT_SLOT:
            self.queue_until = now

    def begin_second_attempt(self) -> None:
        """Note that it is sent again. The time of the first attempt counts as time in the queue."""
        self.attempt, self.has_slot = 2, False
        self.queue_until = self.target_until = None


@dataclass(frozen=True, slots=True)
class Received:
    """The gateway has the head of a request."""

    scope: Scope
    record: RequestRecord


@dataclass(frozen=True, slots=True)
class Queued:
    """The request is submitted to the queue of its priority, for this attempt (1 or 2), as this job.

    If Redis has certainly not taken the job, the attempt goes on with another job, and there is another Queued.
    """

    scope: Scope
    priority: Priority
    attempt: int
    job_id: str


@dataclass(frozen=True, slots=True)
class Retried:
    """The first attempt failed with `error`, and a second one follows."""

    scope: Scope
    error: GatewayError
    record: RequestRecord


@dataclass(frozen=True, slots=True)
class Answered:
    """The client has its response; after a status of 101, the WebSocket has been closed."""

    scope: Scope
    status: int
    record: RequestRecord


@dataclass(frozen=True, slots=True)
class Refused:
    """The gateway did not take the request, and answers with `error`: a 4xx, 501, 503 or 508."""

    scope: Scope
    error: GatewayError
    record: RequestRecord


@dataclass(frozen=True, slots=True)
class Failed:
    """The request has no whole response, because of `error`.

    A GatewayError is what the client gets, or, with `is_broken_off`, what has ended the response in its middle. Any
    other error goes on to the server: a bug, or the cancellation of the request's task.
    """

    scope: Scope
    error: BaseException
    is_broken_off: bool
    record: RequestRecord


@dataclass(frozen=True, slots=True)
class Left:
    """The client has closed its connection before it had its response."""

    scope: Scope
    record: RequestRecord


@dataclass(frozen=True, slots=True)
class SlotTaken:
    """A worker has claimed the request, and a slot is taken for it."""

    job_id: str
    queue_name: str
    gateway_id: str
    """The gateway that submitted the job; '' if no gateway did."""


class SlotEnd(enum.Enum):
    """Why a slot is free again."""

    ANSWERED = "answered"
    """The target's response is complete."""
    FAILED = "failed"
    """The gateway gets an error instead of a response, or of the rest of it."""
    REFUSED = "refused"
    """The job was not a request of a gateway."""
    CANCELLED = "cancelled"
    """The client has left, the gateway no longer waits, or the worker ends."""
    PERMIT_ENDED = "permit ended"
    """The gateway has ended its permit."""


@dataclass(frozen=True, slots=True)
class SlotFreed:
    """A worker has nothing more to do for the request, and its slot is free after `taken_seconds`."""

    job_id: str
    queue_name: str
    taken_seconds: float
    end: SlotEnd


LAST = (Answered, Refused, Failed, Left)
"""Exactly one of these is published for each request that the gateway has received, after all its other events."""

E = TypeVar("E")
Listeners: TypeAlias = tuple[Callable[[E], object], ...]


class Events:
    """Who listens to the events of one gateway or of one worker process: for each type, the listeners in their order.

    Listeners are called at once, on the event loop: they return soon and do not wait.
    """

    def __init__(self) -> None:
        self.received: Listeners[Received] = ()
        self.queued: Listeners[Queued] = ()
        self.retried: Listeners[Retried] = ()
        self.answered: Listeners[Answered] = ()
        self.refused: Listeners[Refused] = ()
        self.failed: Listeners[Failed] = ()
        self.left: Listeners[Left] = ()
        self.slot_taken: Listeners[SlotTaken] = ()
        self.slot_freed: Listeners[SlotFreed] = ()

    def subscribe(self, kind: type[E], listener: Callable[[E], object]) -> None:
        """Call `listener` with each event of this type from now on."""
        name = re.sub(r"\B(?=[A-Z])", "_", kind.__name__).lower()
        setattr(self, name, (*getattr(self, name), listener))


def publish(listeners: Listeners[E], event: E) -> None:
    """Call all listeners with an event. One that raises is logged, and keeps no other from it."""
    for listener in listeners:
        try:
            listener(event)
        except Exception:
            logger.exception("a listener failed on %s", type(event).__name__)


def publish_error(
    events: Events, scope: Scope, error: GatewayError, record: RequestRecord, *, is_broken_off: bool = False
) -> None:
    """Publish the last event of a request that ends with this error: Failed for a 500, 502 or 504, else Refused."""
    record.note_error(error.status)
    if is_broken_off or error.status in _STATUSES_OF_FAILURES:
        if events.failed:
            publish(events.failed, Failed(scope, error, is_broken_off, record))
    elif events.refused:
        publish(events.refused, Refused(scope, error, record))
