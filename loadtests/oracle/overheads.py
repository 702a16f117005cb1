"""What a gateway costs beside the waiting for slots: transit and turnaround, from what sender and target saw. Pure.

- Transit: what a request takes from its sending to its arrival at the target when no slot is short: to the queue, being
  taken off it, and on to the target.
- Turnaround: the slot time that goes by between the finish of one request at the target and the arrival of the next one
  while somebody waits: the way back, settling and claiming, the way out.

Neither can be seen on a single request, and both are means. They need each other, so they are taken in turns until
neither changes.

Transit is the mean delay of the requests that found a slot free for certain: fewer others than there are slots were
under way from a transit before such a request came until a transit after. A request is under way until its turnaround
is over. Those nearer to the edge are left out: the ways' own ups and downs decide which of them got a slot at once.

Turnaround is measured on the slots that became free while there was somebody for each of them, and slots are taken to
be refilled in the order in which they became free. What becomes free while fewer wait is left out: nothing waits for
its turnaround, and its next arrival may be long in coming. So a machine that stands still for a moment, with all slots
running empty, counts for as many of them as requests were waiting, and not for all.

What counts as waiting is what the target sees. A request that found all slots held would have arrived a transit after
its sending, had one been free, and waits from then until it does arrive. So nothing counts that is merely on its way.
The first transit of each wait is left out, because within it a late request looks like one that waits.
"""

import statistics
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtests.records import Passage, Priority

_MOST_ROUNDS = 10
_PRECISION_SECONDS = 1e-6
# What happens at one moment, in the order that lets a slot be refilled in the moment in which it becomes free.
_FINISHES, _ARRIVES, _WAIT_ENDS, _WAIT_BEGINS = range(4)


@dataclass(frozen=True, slots=True)
class Trip:
    """One request that was sent, reached the target and was finished there; unix seconds."""

    sent_at: float
    arrived_at: float
    finished_at: float
    priority: Priority

    @property
    def delay_seconds(self) -> float:
        """From sending to arrival: transit, and the wait for a slot."""
        return self.arrived_at - self.sent_at

    @property
    def service_seconds(self) -> float:
        """How long the target had it."""
        return self.finished_at - self.arrived_at


@dataclass(frozen=True, slots=True)
class Refill:
    """One arrival at the target in a slot that had become free while somebody waited for it."""

    at: float
    turnaround_seconds: float
    """Since the finish of the request that had the slot before."""


@dataclass(frozen=True, slots=True)
class Use:
    """How the slots were used while somebody waited."""

    slots: int
    waited_seconds: float = 0.0
    """Time during which somebody waited."""
    idle_seconds: float = 0.0
    """Slot time not in use at the target meanwhile, all slots together."""

    @property
    def share(self) -> float:
        """Share of slot time in use at the target while somebody waited; 0 if nobody did."""
        return 1 - self.idle_seconds / (self.slots * self.waited_seconds) if self.waited_seconds else 0.0


@dataclass(frozen=True, slots=True)
class Overheads:
    """What the gateway costs, and what that was found from."""

    slots: int
    transit_seconds: float
    """The least delay of all, if no request found a slot free for certain."""
    turnaround_seconds: float
    """0 if nobody ever waited."""
    free: tuple[Trip, ...]
    """The requests that found a slot free for certain."""
    refills: tuple[Refill, ...]
    utilisation: float
    """Share of slot time in use at the target while somebody waited; 0 if nobody did."""


def complete_trips(passages: Iterable[Passage]) -> tuple[Trip, ...]:
    """Give the requests that the target has seen and finished, in the order of sending.

    One whose finish comes before its arrival is none: it was measured with a clock that was set back.
    """
    trips = [
        Trip(one.sent.sent_at, one.arrived_at, one.finished_at, one.sent.priority)
        for one in passages
        if one.arrived_at is not None and one.finished_at is not None and one.finished_at >= one.arrived_at
    ]
    return tuple(sorted(trips, key=lambda trip: trip.sent_at))


def measure_overheads(trips: Sequence[Trip], slots: int) -> Overheads:
    """Measure transit and turnaround of a run; `trips` are in the order of sending, and there is at least one."""
    transit_seconds = turnaround_seconds = 0.0
    for _ in range(_MOST_ROUNDS):
        before = (transit_seconds, turnaround_seconds)
        free = _find_free(trips, slots, transit_seconds, turnaround_seconds)
        delays = [trip.delay_seconds for trip in free]
        transit_seconds = statistics.fmean(delays) if delays else min(trip.delay_seconds for trip in trips)
        refills, use = _watch_slots(trips, slots, _find_waits(trips, slots, transit_seconds, turnaround_seconds))
        turnaround_seconds = statistics.fmean(one.turnaround_seconds for one in refills) if refills else 0.0
        if max(abs(transit_seconds - before[0]), abs(turnaround_seconds - before[1])) < _PRECISION_SECONDS:
            break
    return Overheads(slots, transit_seconds, turnaround_seconds, free, refills, use.share)


def _find_free(
    trips: Sequence[Trip], slots: int, transit_seconds: float, turnaround_seconds: float
) -> tuple[Trip, ...]:
    """Give those that had a slot to themselves whatever happened within a transit."""
    sendings = [trip.sent_at for trip in trips]
    # A slot is held, in the sender's time, until a transit before this: that is the margin at the early end.
    ends = sorted(trip.finished_at + turnaround_seconds for trip in trips)

    def others(trip: Trip) -> int:
        return bisect_right(sendings, trip.sent_at + transit_seconds) - 1 - bisect_right(ends, trip.sent_at)

    return tuple(trip for trip in trips if others(trip) < slots)


def _find_waits(
    trips: Sequence[Trip], slots: int, transit_seconds: float, turnaround_seconds: float
) -> list[tuple[float, float]]:
    """Give from when to when each request that found all slots held waited for certain, in the target's time."""
    sendings = [trip.sent_at for trip in trips]
    ends = sorted(trip.finished_at + turnaround_seconds - transit_seconds for trip in trips)
    return [
        (trip.sent_at + 2 * transit_seconds, trip.arrived_at)
        for trip in trips
        if bisect_left(sendings, trip.sent_at) - bisect_right(ends, trip.sent_at) >= slots
        and trip.sent_at + 2 * transit_seconds < trip.arrived_at
    ]


def _watch_slots(
    trips: Sequence[Trip], slots: int, waits: Iterable[tuple[float, float]]
) -> tuple[tuple[Refill, ...], Use]:
    """Go through the run in the order of time; give each refill, and how the slots were used while somebody waited."""
    changes = [(trip.arrived_at, _ARRIVES, 1, 0) for trip in trips]
    changes += [(trip.finished_at, _FINISHES, -1, 0) for trip in trips]
    for begins_at, ends_at in waits:
        changes += [(begins_at, _WAIT_BEGINS, 0, 1), (ends_at, _WAIT_ENDS, 0, -1)]
    changes.sort()
    refills = []
    # When each slot became free, in that order; None if there was nobody for it.
    freed_at: deque[float | None] = deque([None] * slots)
    in_flight = waiting = 0
    idle_seconds = waited_seconds = before = 0.0
    for at, kind, in_flight_change, waiting_change in changes:
        if waiting:
            idle_seconds += (slots - min(in_flight, slots)) * (at - before)
            waited_seconds += at - before
        if kind == _ARRIVES and freed_at and (was_freed_at := freed_at.popleft()) is not None:
            refills.append(Refill(at, at - was_freed_at))
        if kind == _FINISHES:
            freed_at.append(at if waiting > len(freed_at) else None)
        before = at
        in_flight += in_flight_change
        waiting += waiting_change
    return tuple(refills), Use(slots, waited_seconds, idle_seconds)
