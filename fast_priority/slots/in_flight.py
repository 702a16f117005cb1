"""The requests that one worker process has in flight: each from its claim until its final part is published.

CLAIMED ── sent at once ──> ON_FAST_PATH ── ended ─────────────────────> ENDED
   │                             │ the response is large, slow or failed
   ├── needs to wait ────────────┴──> NEEDS_TASK ── first step ──> IN_TASK ── ended ──> ENDED
   │                                      └── cancelled ──> CANCELLED ── first step ──> ENDED
   ├── asks for a permit ──> HOLDS_PERMIT ── the gateway ends it ──> ENDED
   ├── is not a request of ours ──> REFUSED ── moved to the failed registry ──> ENDED
   └── cannot be sent ──> ENDED
"""

import asyncio
import enum
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fast_priority.broker.consumer import LEASE_SECONDS, Claim
from fast_priority.errors import GatewayError
from fast_priority.http.message import SlotTimes
from fast_priority.protocol.frames import Cancel, Failure, ForwardCall, Frame
from fast_priority.slots.forward import FinalPart, failure_of
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.support.elapsed import Moment
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target import Exchange, Target

_MICROSECONDS = 1_000_000
_MOST_EARLY_CANCELS = 1000

ChannelOf = Callable[[Claim], GatewayChannel]


class State(enum.Enum):
    """Where a request is between its claim and its end."""

    CLAIMED = "claimed"
    ON_FAST_PATH = "on the fast path"
    NEEDS_TASK = "waits for the first step of its task"
    IN_TASK = "in a task"
    HOLDS_PERMIT = "holds a permit"
    CANCELLED = "cancelled before the first step of its task"
    REFUSED = "refused"
    ENDED = "ended"


_NEXT_STATES = {
    State.CLAIMED: (State.ON_FAST_PATH, State.NEEDS_TASK, State.HOLDS_PERMIT, State.REFUSED, State.ENDED),
    State.ON_FAST_PATH: (State.ENDED, State.NEEDS_TASK),
    State.NEEDS_TASK: (State.IN_TASK, State.CANCELLED),
    State.IN_TASK: (State.ENDED,),
    State.HOLDS_PERMIT: (State.ENDED,),
    State.CANCELLED: (State.ENDED,),
    State.REFUSED: (State.ENDED,),
    State.ENDED: (),
}


class InFlightRequest:
    """One claim, from its start to its end.

    Its lease has lasted since `leased_since`, or since it was last renewed. `on_end` is called once, with the final
    part of the response, or with None if there is nothing to publish.
    """

    __slots__ = (
        "__weakref__",
        "_channel",
        "_channel_of",
        "_leased_since",
        "_on_end",
        "_started_at",
        "_was_out_of_lease",
        "call",
        "claim",
        "client_has_left",
        "exchange",
        "fast_timeouts",
        "state",
        "target",
        "task",
    )

    def __init__(
        self,
        claim: Claim,
        channel_of: ChannelOf,
        leased_since: Moment,
        on_end: "Callable[[InFlightRequest, FinalPart | None], None]",
    ) -> None:
        self.claim = claim
        self.state = State.CLAIMED
        self.client_has_left = False
        self.call: ForwardCall | None = None
        self.target: Target | None = None
        """The target that it uses."""
        self.exchange: Exchange | None = None
        self.fast_timeouts: TimeoutQueue[InFlightRequest] | None = None
        """Where its time on the fast path runs, if it does."""
        self.task: asyncio.Task[None] | None = None
        """What forwards it, unless it is on the fast path or holds a permit."""
        self._channel: GatewayChannel | None = None
        self._channel_of = channel_of
        self._started_at = time.monotonic()
        self._leased_since = leased_since
        self._was_out_of_lease = False
        self._on_end = on_end

    def __repr__(self) -> str:
        return f"<InFlightRequest {self.claim.job_id}: {self.state.value} for {self.taken_seconds:.3f} s>"

    @property
    def channel(self) -> GatewayChannel:
        """The channel to its gateway. Most requests end without one."""
        if self._channel is None:
            self._channel = self._channel_of(self.claim)
        return self._channel

    @property
    def taken_seconds(self) -> float:
        """For how long it has had its slot."""
        return time.monotonic() - self._started_at

    def may_be_sent(self) -> bool:
        """Return whether it was leased all the time since it was claimed. If not, another worker may have it by now."""
        self._was_out_of_lease |= self._leased_since.elapsed_seconds() > LEASE_SECONDS
        return not self._was_out_of_lease

    def renew(self, since: Moment) -> None:
        """Note that the lease was renewed then. A request that was out of lease may still not be sent."""
        if self.may_be_sent():
            self._leased_since = since

    def move_to(self, state: State) -> None:
        """Change the state. Raises RuntimeError if the table has no such transition."""
        if state not in _NEXT_STATES[self.state]:
            raise RuntimeError(f"{self!r} cannot become {state.name}")
        self.state = state

    def run_in_task(self, work: Coroutine[Any, Any, None], state: State = State.NEEDS_TASK) -> None:
        """Go on in a task that runs `work`. From NEEDS_TASK on, `work` has to call `enter_task` first."""
        self.move_to(state)
        self.task = asyncio.create_task(work)

    def enter_task(self) -> bool:
        """Begin in the task. Return False if the request was cancelled meanwhile: then the task has to end it.

        A task that is cancelled before its first step never runs, and would never free its slot.
        """
        if self.state is State.CANCELLED:
            return False
        self.move_to(State.IN_TASK)
        return True

    def cancel(self) -> None:
        """End the call to the target, or do not begin it."""
        match self.state:
            case State.ON_FAST_PATH | State.HOLDS_PERMIT:
                self.end(None)
            case State.NEEDS_TASK:
                self.move_to(State.CANCELLED)
            case State.IN_TASK if self.task is not None:
                self.task.cancel()

    def fail(self, error: GatewayError) -> None:
        """End it with an error, which its gateway gets: at once, or with the next part that it sends or waits for."""
        if self.state in (State.ON_FAST_PATH, State.HOLDS_PERMIT):
            self.end(failure_of(error))
        elif self.state in (State.NEEDS_TASK, State.IN_TASK):
            self.channel.conversation.fail(error)

    def end(self, final: FinalPart | None) -> None:
        """End it with this part. A task that is in its exchange has left that before."""
        if self.fast_timeouts is not None:
            self.fast_timeouts.end(self)
        if self.exchange is not None and self.state is not State.IN_TASK:
            self.exchange.end_now()
        self.exchange = None  # it refers to this
        if isinstance(final, Failure) and final.times is None:
            final = Failure(final.slug, final.detail, SlotTimes(int(self.taken_seconds * _MICROSECONDS)))
        self.move_to(State.ENDED)
        self._on_end(self, final)


class InFlight:
    """All requests in flight, by the ids of their jobs. It hands each of them the frames of its gateway."""

    def __init__(self, channel_of: ChannelOf) -> None:
        self._channel_of = channel_of
        self._requests: dict[str, InFlightRequest] = {}
        self._cancelled_early: dict[str, None] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[InFlightRequest]:
        return iter(list(self._requests.values()))

    def get(self, claim: Claim) -> InFlightRequest | None:
        """Return the request of this very claim, if it is in flight."""
        found = self._requests.get(claim.job_id)
        return found if found is not None and found.claim == claim else None

    def start(
        self, claim: Claim, leased_since: Moment, on_end: Callable[[InFlightRequest, FinalPart | None], None]
    ) -> InFlightRequest | None:
        """Add a claim and return its request; None if its client has left already."""
        if claim.job_id in self._cancelled_early:
            del self._cancelled_early[claim.job_id]
            return None
        request = self._requests[claim.job_id] = InFlightRequest(claim, self._channel_of, leased_since, on_end)
        return request

    def remove(self, request: InFlightRequest) -> None:
        """Remove a request that has ended."""
        if self._requests.get(request.claim.job_id) is request:
            del self._requests[request.claim.job_id]

    def fail(self, request_id: str, error: GatewayError) -> None:
        """End a request, if it is in flight, because a frame for it cannot be read."""
        request = self._requests.get(request_id)
        if request is not None:
            request.fail(error)

    def receive(self, frame: Frame) -> None:
        """Take a frame that a gateway has sent."""
        request = self._requests.get(frame.request_id)
        if request is not None and isinstance(frame.part, Cancel):
            request.client_has_left = True
            request.cancel()
        elif request is not None:
            request.channel.receive(frame.part)
        elif isinstance(frame.part, Cancel):
            # The answer to the claim may still be on its way to us, on another connection.
            self._cancelled_early[frame.request_id] = None
            if len(self._cancelled_early) > _MOST_EARLY_CANCELS:
                del self._cancelled_early[next(iter(self._cancelled_early))]
