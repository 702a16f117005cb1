"""Invented traces of requests: single ones, and whole runs through a gateway that is only simulated."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from loadtests.records.traces import Arrival, Outcome, Priority, RequestTrace, SentRequest


def make_trace(
    request_id: str,
    sent_at: float,
    arrived_at: float | None,
    *,
    finished_at: float | None = None,
    ended_at: float | None = None,
    outcome: Outcome = "answered",
    accepted_at: float | None = None,
    status: int | None = None,
    method: str = "GET",
    arrived_again: Iterable[float] = (),
    target_status: int | None = None,
) -> RequestTrace:
    """Make one; an id that begins with "high" is a high one, and each visit lasts 1 s by default.

    `status` is what the client got; `target_status` what the target answered the first time.
    """
    priority: Priority = "high" if request_id.startswith("high") else "low"
    arrivals: list[Arrival] = []
    if arrived_at is not None:
        finished_at = arrived_at + 1 if finished_at is None else finished_at
        arrivals.append(Arrival(request_id, arrived_at, finished_at, target_status))
    arrivals += [Arrival(request_id, again, again + 1) for again in arrived_again]
    if ended_at is None:
        ended_at = sent_at + 1 if finished_at is None else finished_at
    sent = SentRequest(request_id, priority, sent_at, ended_at, outcome, status, method, accepted_at)
    return RequestTrace(sent, tuple(arrivals))


@dataclass(frozen=True, slots=True)
class Queued:
    """One request on a queue."""

    request_id: str
    sent_at: float
    queued_at: float


Choice = Callable[[Sequence[Queued], float], Queued]
"""Returns which of the waiting requests a slot takes that becomes free at this moment."""


def take_high_first(waiting: Sequence[Queued], _now: float) -> Queued:
    return min(waiting, key=lambda one: (not one.request_id.startswith("high"), one.queued_at))


def take_oldest(waiting: Sequence[Queued], _now: float) -> Queued:
    return min(waiting, key=lambda one: one.queued_at)


def take_any(random: Random) -> Choice:
    return lambda waiting, _now: random.choice(waiting)


@dataclass
class TakeOneLowOutOfTurn:
    """High first, except once: when a high one has waited for `waited_seconds`, a low one."""

    waited_seconds: float
    low: Queued | None = None
    high: Sequence[Queued] = ()

    def __call__(self, waiting: Sequence[Queued], now: float) -> Queued:
        high = [one for one in waiting if one.request_id.startswith("high")]
        low = [one for one in waiting if one not in high]
        if self.low is None and low and any(one.sent_at + self.waited_seconds <= now for one in high):
            self.low, self.high = low[0], high
            return low[0]
        return take_high_first(waiting, now)


def draw_delay(random: Random, longest_seconds: float) -> float:
    """Draw a delay; often 0 or the longest, because an oracle is most likely to be wrong there."""
    return random.choice([0, longest_seconds, random.uniform(0, longest_seconds)])


def queue_all(sendings: Iterable[tuple[str, float]], random: Random, longest_seconds: float) -> list[Queued]:
    """Put the sent requests on the queue, each after its own transit."""
    return [Queued(name, at, at + draw_delay(random, longest_seconds)) for name, at in sendings]


def serve(
    queued: Iterable[Queued],
    choose: Choice,
    *,
    free_at: Sequence[float],
    hold_seconds: Callable[[], float],
    forward_seconds: Callable[[], float],
) -> list[RequestTrace]:
    """Serve all with as many slots as `free_at` has times; a slot is held from dequeuing, transit included."""
    coming = sorted(queued, key=lambda one: one.queued_at)
    slots, waiting, traces = list(free_at), list[Queued](), list[RequestTrace]()
    while coming or waiting:
        slot = slots.index(min(slots))
        now = slots[slot] if waiting else max(slots[slot], coming[0].queued_at)
        while coming and coming[0].queued_at <= now:
            waiting.append(coming.pop(0))
        taken = choose(waiting, now)
        waiting.remove(taken)
        arrived_at = now + forward_seconds()
        slots[slot] = max(arrived_at, now + hold_seconds())
        traces.append(
            make_trace(
                taken.request_id, taken.sent_at, arrived_at, finished_at=slots[slot], ended_at=slots[slot] + 0.001
            )
        )
    return traces


def serve_flood(
    seed: int, slots: int, choose: Choice, *, queueing_seconds: float, forwarding_seconds: float, seen: bool = False
) -> list[RequestTrace]:
    """Serve a flood of three times what the slots can carry, a third of it high, with delays up to these on its ways.

    `seen`: it is known of each request when it was queued.
    """
    random = Random(seed)
    sendings = [(f"{'low' if index % 3 else 'high'}-{index}", random.uniform(0, 20)) for index in range(120)]
    queued = queue_all(sendings, random, queueing_seconds)
    run = serve(
        queued,
        choose,
        free_at=[0.0] * slots,
        hold_seconds=lambda: slots * random.uniform(0.1, 0.9),
        forward_seconds=lambda: draw_delay(random, forwarding_seconds),
    )
    queued_at = {one.request_id: one.queued_at for one in queued if seen}
    return [replace(one, sent=replace(one.sent, accepted_at=queued_at.get(one.sent.request_id))) for one in run]


def serve_evenly(
    seed: int, slots: int, choose: Choice, *, gap_seconds: float, queueing_seconds: float, forwarding_seconds: float
) -> list[RequestTrace]:
    """Serve a flood and bursts of high requests with slots of which one becomes free each `gap_seconds`."""
    random = Random(seed)
    low = [(f"low-{index}", random.uniform(0, 1)) for index in range(60)]
    burst = [random.uniform(0, 60 * gap_seconds) for _ in range(8)]
    high = [(f"high-{index}", burst[index % 8] + random.uniform(0, 0.1)) for index in range(24)]
    return serve(
        queue_all([*low, *high], random, queueing_seconds),
        choose,
        free_at=[1 + slot * gap_seconds for slot in range(slots)],
        hold_seconds=lambda: slots * gap_seconds,
        forward_seconds=lambda: draw_delay(random, forwarding_seconds),
    )


def shift(trace: RequestTrace, seconds: float) -> RequestTrace:
    """Return the same trace, this much later."""

    def later(at: float | None) -> float | None:
        return None if at is None else at + seconds

    sent = trace.sent
    return RequestTrace(
        replace(
            sent,
            sent_at=sent.sent_at + seconds,
            ended_at=sent.ended_at + seconds,
            accepted_at=later(sent.accepted_at),
        ),
        tuple(
            replace(one, arrived_at=one.arrived_at + seconds, finished_at=later(one.finished_at))
            for one in trace.arrivals
        ),
    )
