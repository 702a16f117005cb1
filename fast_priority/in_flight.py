"""What one worker process has in flight: each claim with the task that carries it and its line to the gateway."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fast_priority.broker.claiming import Claim
from fast_priority.carrying import Line
from fast_priority.message import Frame, Leave

_MOST_EARLY_LEAVINGS = 1000


class Carried:
    """One claim that is being carried. It is leased until `leased_until`, by `time.monotonic`, or for longer."""

    def __init__(self, claim: Claim, line: Line, leased_until: float) -> None:
        self.claim = claim
        self.line = line
        self._leased_until = leased_until
        self._was_out_of_lease = False
        self.task: asyncio.Task[None] | None = None
        self.client_has_left = False
        self._has_begun = self._is_given_up = False

    def begin(self) -> bool:
        """Begin to carry it; tells whether that is still wanted."""
        self._has_begun = True
        return not self._is_given_up

    @property
    def may_be_sent(self) -> bool:
        """Whether it was leased all the time since it was claimed: if not, somebody else may have it by now."""
        self._was_out_of_lease |= time.monotonic() > self._leased_until
        return not self._was_out_of_lease

    def prolong(self, until: float) -> None:
        """The lease holds until then. It does not bring back what may not be sent any more."""
        if self.may_be_sent:
            self._leased_until = until

    def give_up(self) -> None:
        """End the call to the target, or let it not begin."""
        self._is_given_up = True
        # A task that is cancelled before its first step never comes to the end that frees its slot.
        if self._has_begun and self.task is not None:
            self.task.cancel()


class InFlight:
    """All that is being carried, by the ids of the jobs; hears what gateways say of it."""

    def __init__(self) -> None:
        self._carried: dict[str, Carried] = {}
        self._left_early: dict[str, None] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._carried)

    def __iter__(self) -> Iterator[Carried]:
        return iter(list(self._carried.values()))

    def get(self, claim: Claim) -> Carried | None:
        """Give what is carried for this claim."""
        found = self._carried.get(claim.job_id)
        return found if found is not None and found.claim == claim else None

    def start(
        self,
        claim: Claim,
        line: Line,
        leased_until: float,
        carry: Callable[[Carried], Coroutine[Any, Any, None]],
    ) -> bool:
        """Carry a claim, in a task of its own; tells whether anybody waits for it."""
        if claim.job_id in self._left_early:
            del self._left_early[claim.job_id]
            return False
        carried = self._carried[claim.job_id] = Carried(claim, line, leased_until)
        carried.task = asyncio.create_task(carry(carried))
        return True

    def end(self, carried: Carried) -> None:
        """It is carried no more."""
        if self._carried.get(carried.claim.job_id) is carried:
            del self._carried[carried.claim.job_id]

    def hear(self, frame: Frame) -> None:
        """Take what a gateway says of a request."""
        carried = self._carried.get(frame.request_id)
        if carried is not None and isinstance(frame.part, Leave):
            carried.client_has_left = True
            carried.give_up()
        elif carried is not None:
            carried.line.conversation.hear(frame.part)
        elif isinstance(frame.part, Leave):
            # The answer to the claim may still be on its way to us, by another connection.
            self._left_early[frame.request_id] = None
            if len(self._left_early) > _MOST_EARLY_LEAVINGS:
                del self._left_early[next(iter(self._left_early))]
