"""What a plain model says of gateways and workers at the queues: who waits, who has what, what a claim gives."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from redis.asyncio import Redis as AsyncRedis

from fast_priority.broker.consumer import Claim, Consumer, Leases
from fast_priority.broker.producer import Submitter
from fast_priority.errors import NotSent
from fast_priority.scheduling.priority import Priority

IDEMPOTENT, OTHER = "GET", "POST"
METHODS = (IDEMPOTENT, OTHER)
WAYS = ("turn", "wait")
SLOTS = 3
MOST_QUEUED = 3
MOST_CLAIMS = {IDEMPOTENT: 2, OTHER: 1}


@dataclass(eq=False)
class Gateway:
    submitter: Submitter
    connections: list[AsyncRedis]
    lives: bool = True
    seems_gone: bool = False
    """Its sign of life has run out all the same."""


@dataclass(eq=False)
class Asker:
    """Somebody who waits for an answer; the payload of the request is its label, and so has to be its answer."""

    label: bytes
    method: str
    priority: Priority
    gateway: Gateway
    task: "asyncio.Task[bytes]" = field(init=False)
    job_id: str = ""
    """Under which it is queued, or was last."""
    attempts: int = 1
    claimed: int = 0
    has_left: bool = False
    may_fail: bool = False
    """As far as the model knows, it is to fail."""
    is_of_another_server: bool = False
    read: list[bytes] | None = None
    """What has come of a response that is under way."""

    @property
    def listens(self) -> bool:
        return self.gateway.lives and not self.has_left

    @property
    def may_be_claimed_ahead(self) -> bool:
        return self.method == IDEMPOTENT and self.attempts == 1

    def is_repeated_after(self, error: type[Exception]) -> bool:
        return self.attempts == 1 and self.read is None and (self.method == IDEMPOTENT or error is NotSent)


@dataclass(eq=False)
class Held:
    """One attempt at a request, in a worker's hands."""

    asker: Asker
    job_id: str
    claim: Claim = field(init=False)
    """As soon as the worker has heard of it."""
    is_leased: bool = True
    is_marked: bool = False
    """As over; its gateway has given it up."""
    said: list[bytes] | None = None

    @property
    def is_awaited(self) -> bool:
        return self.asker.listens and self.asker.job_id == self.job_id and not self.asker.may_fail


@dataclass(eq=False)
class Worker:
    name: str
    claimer: Consumer
    leases: Leases
    holds: list[Held] = field(default_factory=list)
    unheard: dict[str, list[Held]] = field(default_factory=lambda: {way: [] for way in WAYS})
    """What it has claimed, in each way, without hearing of it."""
    looks_again: bool = True
    """It claims once more as soon as it can, without being woken."""

    @property
    def has_unheard(self) -> bool:
        return any(self.unheard.values())

    @property
    def has(self) -> list[Held]:
        return [*self.holds, *(held for unheard in self.unheard.values() for held in unheard)]

    @property
    def free(self) -> int:
        return SLOTS - len(self.has)


class Taking(NamedTuple):
    """What a claim has to give."""

    taken: list[Held]
    not_sent: list[Asker]
    """Whose gateways hear that nobody has sent them."""
    work_is_left: bool = False


class Model:
    """All that is known of everybody, by what has happened to them."""

    def __init__(self) -> None:
        self.queues: dict[Priority, list[Asker]] = {priority: [] for priority in Priority}
        self.askers: list[Asker] = []
        self.gateways: list[Gateway] = []
        self.workers: list[Worker] = []
        self.suspended = False
        self.orphans: list[Held] = []
        """What dead workers had, while the leases last."""
        self.killed: list[str] = []
        """The names of those who have left their mailboxes behind."""

    def waiting(self) -> list[Asker]:
        return [asker for queue in self.queues.values() for asker in queue if asker.gateway.lives]

    def asking(self) -> list[Asker]:
        return [asker for asker in self.askers if asker.listens and not asker.task.done()]

    def may_claim(self) -> bool:
        return any(worker.free or worker.has_unheard for worker in self.workers)

    def idle(self) -> list[Worker]:
        """Those who can claim two or more, and hear of it."""
        return [] if self.suspended else [one for one in self.workers if one.free > 1 and not one.unheard["turn"]]

    def busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.has]

    def held(self) -> list[Held]:
        return [held for worker in self.workers for held in worker.has]

    def claims(self) -> list[tuple[Worker, Held]]:
        return [(worker, held) for worker in self.workers for held in worker.holds if held.said is None]

    def streams(self) -> list[tuple[Worker, Held]]:
        return [(worker, held) for worker in self.workers for held in worker.holds if held.said is not None]

    def take(self, free: int, *, is_sent_ahead: bool) -> Taking:
        """Take from the queues what a claim for so many slots has to give: high first, oldest first."""
        taken: list[Held] = []
        not_sent: list[Asker] = []
        for priority in (Priority.HIGH, Priority.LOW):
            queue = self.queues[priority]
            while queue and len(taken) < free and not self.suspended:
                asker = queue[0]
                is_nobodys = asker.is_of_another_server or not asker.gateway.lives
                if not is_nobodys and asker.gateway.seems_gone:
                    not_sent.append(asker)
                elif not is_nobodys and is_sent_ahead and not asker.may_be_claimed_ahead:
                    return Taking(taken, not_sent, work_is_left=True)
                elif not is_nobodys:
                    asker.claimed += 1
                    taken.append(Held(asker, asker.job_id))
                queue.pop(0)
        return Taking(taken, not_sent)

    def lose(self, lost: Sequence[Asker], error: type[Exception]) -> tuple[list[Asker], list[Asker]]:
        """Let these come to nothing; give those that are queued once more, in front, and those that fail."""
        for queue in self.queues.values():
            queue[:] = [asker for asker in queue if asker not in lost]
        again = [asker for asker in lost if asker.listens and asker.is_repeated_after(error)]
        failing = [asker for asker in lost if asker.listens and asker not in again]
        for asker in again:
            asker.attempts += 1
            asker.is_of_another_server = False
        for asker in failing:
            asker.may_fail = True
        for priority, queue in self.queues.items():
            queue[:0] = [asker for asker in self.askers if asker in again and asker.priority == priority]
        return again, failing
