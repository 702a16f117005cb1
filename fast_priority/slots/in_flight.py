"""What one worker process has in flight: each claim with its line to the gateway, and how it is broken off."""

import asyncio
import time
from collections.abc import Callable, Iterator

from fast_priority.broker import keys
from fast_priority.broker.consumer import Claim
from fast_priority.protocol.frames import Cancel, Frame
from fast_priority.slots.forward import GatewayChannel
from fast_priority.support.elapsed import Moment

_MOST_EARLY_LEAVINGS = 1000


class InFlightRequest:
    """One claim that is being carried. Its lease has lasted since `leased_since`, or was renewed later."""

    def __init__(self, claim: Claim, make_line: Callable[[Claim], GatewayChannel], leased_since: Moment) -> None:
        self.claim = claim
        self._make_line = make_line
        self._line: GatewayChannel | None = None
        self._started_at = time.monotonic()
        self._leased_since = leased_since
        self._was_out_of_lease = False
        self.task: asyncio.Task[None] | None = None
        """What carries it, if it is a task."""
        self.client_has_left = False
        self._is_given_up = False
        self._break_off: Callable[[], object] | None = None

    @property
    def line(self) -> GatewayChannel:
        """The line to the gateway. Few have anything to say on it before they are over."""
        if self._line is None:
            self._line = self._make_line(self.claim)
        return self._line

    def begin(self, break_off: Callable[[], object] | None) -> bool:
        """Begin to carry it, and say how that is broken off; tells whether it is still wanted."""
        self._break_off = break_off
        return not self._is_given_up

    @property
    def taken_seconds(self) -> float:
        """For how long it has had its slot."""
        return time.monotonic() - self._started_at

    @property
    def may_be_sent(self) -> bool:
        """Whether it was leased all the time since it was claimed: if not, somebody else may have it by now."""
        self._was_out_of_lease |= self._leased_since.elapsed_seconds() > keys.LEASE_SECONDS
        return not self._was_out_of_lease

    def prolong(self, since: Moment) -> None:
        """The lease was renewed then. That does not bring back what may not be sent any more."""
        if self.may_be_sent:
            self._leased_since = since

    def give_up(self) -> None:
        """End the call to the target, or let it not begin."""
        self._is_given_up = True
        if self._break_off is not None:
            self._break_off()

    def end(self) -> None:
        """It is over, and refers to nothing that refers to it."""
        self._break_off = None


class InFlight:
    """All that is being carried, by the ids of the jobs; hears what gateways say of it."""

    def __init__(self, make_line: Callable[[Claim], GatewayChannel]) -> None:
        self._make_line = make_line
        self._carried: dict[str, InFlightRequest] = {}
        self._left_early: dict[str, None] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._carried)

    def __iter__(self) -> Iterator[InFlightRequest]:
        return iter(list(self._carried.values()))

    def get(self, claim: Claim) -> InFlightRequest | None:
        """Give what is carried for this claim."""
        found = self._carried.get(claim.job_id)
        return found if found is not None and found.claim == claim else None

    def start(self, claim: Claim, leased_since: Moment) -> InFlightRequest | None:
        """Take in a claim that is to be carried; None if nobody waits for it any more."""
        if claim.job_id in self._left_early:
            del self._left_early[claim.job_id]
            return None
        carried = self._carried[claim.job_id] = InFlightRequest(claim, self._make_line, leased_since)
        return carried

    def end(self, carried: InFlightRequest) -> None:
        """It is carried no more."""
        carried.end()
        if self._carried.get(carried.claim.job_id) is carried:
            del self._carried[carried.claim.job_id]

    def hear(self, frame: Frame) -> None:
        """Take what a gateway says of a request."""
        carried = self._carried.get(frame.request_id)
        if carried is not None and isinstance(frame.part, Cancel):
            carried.client_has_left = True
            carried.give_up()
        elif carried is not None:
            carried.line.conversation.hear(frame.part)
        elif isinstance(frame.part, Cancel):
            # The answer to the claim may still be on its way to us, by another connection.
            self._left_early[frame.request_id] = None
            if len(self._left_early) > _MOST_EARLY_LEAVINGS:
                del self._left_early[next(iter(self._left_early))]
