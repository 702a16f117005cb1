"""What the gateway needs of the broker."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from fast_priority.broker.producer import Attempt, OwnSlot, Payload, Permit, Submission
from fast_priority.gateway.response import IncomingResponse
from fast_priority.http.message import Bytes, Reply, SlotTimes
from fast_priority.scheduling.priority import Priority


class WorkerResponse(IncomingResponse, Protocol):
    """A response that comes from a worker, piece by piece. Close it in any case."""

    def close(self) -> None:
        """Read no more of it."""
        ...


Outcome: TypeAlias = Reply | WorkerResponse | Permit | OwnSlot
"""A whole response, one that is still coming, or the right to talk to the target."""


class Queues(Protocol):
    """The queues, on which requests wait for a worker; `broker.producer.Submitter` is one."""

    @property
    def is_closing(self) -> bool:
        """Whether it queues no more requests."""
        ...

    def submit(
        self,
        priority: Priority,
        payload: Payload,
        description: str,
        *,
        is_idempotent: bool,
        attempt: Attempt,
        on_submit: Callable[[str], object] | None = None,
        on_start: Callable[[], object] | None = None,
        on_worker: Callable[[SlotTimes | None], object] | None = None,
    ) -> Submission:
        """Queue a ForwardCall without waiting. Raises GatewayError. Call `outcome` or `give_up` in any case.

        The second attempt goes in front of all other requests of its queue. `on_submit` is called with the id of each
        job that is submitted, `on_start` in the moment in which a slot of this gateway is taken, `on_worker` when
        `outcome` has what a worker begins its answer with, and for how long that has had its slot, if it says so.
        """
        ...

    def outcome(
        self, submission: Submission, body: AsyncIterator[Bytes] | None = None, *, was_woken: bool = False
    ) -> Coroutine[Any, Any, Outcome]:
        """Return what a worker answers, or the slot that is taken. Raises GatewayError, and what the body raises."""
        ...

    def is_granted(self, submission: Submission) -> bool:
        """Return whether the gateway may send a request: a slot is taken for it, its own or another gateway's."""
        ...

    def give_up(self, submission: Submission, *, has_ended: bool) -> None:
        """Wait for a request no more."""
        ...
