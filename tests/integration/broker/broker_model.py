"""A simple model of gateways and workers: which requests wait, which worker has which, what a claim takes."""

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
CLAIM_KINDS = ("turn", "wait")
SLOTS = 3
MOST_QUEUED = 3
LEVELS = (Priority.HIGH, Priority("normal"), Priority.LOW)
MOST_CLAIMS = {IDEMPOTENT: 2, OTHER: 1}


@dataclass(eq=False)
class Gateway:
    submitter: Submitter
    connections: list[AsyncRedis]
    lives: bool = True
    seems_gone: bool = False
    """Its sign of life has expired although it lives."""

    @property
    def has_no_sign(self) -> bool:
        return self.seems_gone or not self.lives


@dataclass(eq=False)
class Client:
    """A client that waits for a response. Its label is the payload of the request, and the body of the response."""

    label: bytes
    method: str
    priority: Priority
    gateway: Gateway
    task: "asyncio.Task[bytes]" = field(init=False)
    job_id: str = ""
    """The id under which its request is queued, or was queued last."""
    attempts: int = 1
    claimed: int = 0
    has_left: bool = False
    may_fail: bool = False
    """Whether the model expects it to fail."""
    is_of_another_server: bool = False
    read: list[bytes] | None = None
    """The chunks that it has received of a streamed response."""

    @property
    def waits(self) -> bool:
        return self.gateway.lives and not self.has_left

    @property
    def may_be_claimed_ahead(self) -> bool:
        return self.method == IDEMPOTENT and self.attempts == 1

    def is_repeated_after(self, error: type[Exception]) -> bool:
        return self.attempts == 1 and self.read is None and (self.method == IDEMPOTENT or error is NotSent)


@dataclass(eq=False)
class Held:
    """One attempt at a request, which a worker has claimed."""

    client: Client
    job_id: str
    claim: Claim = field(init=False)
    """Set as soon as the worker has the answer to its claim."""
    is_leased: bool = True
    is_cancelled: bool = False
    """Whether its gateway has cancelled it."""
    published: list[bytes] | None = None

    @property
    def is_waited_for(self) -> bool:
        return self.client.waits and self.client.job_id == self.job_id and not self.client.may_fail


@dataclass(eq=False)
class Worker:
    name: str
    consumer: Consumer
    leases: Leases
    holds: list[Held] = field(default_factory=list)
    unanswered: dict[str, list[Held]] = field(default_factory=lambda: {kind: [] for kind in CLAIM_KINDS})
    """The requests of claims, of each kind, whose answer was lost."""
    looks_again: bool = True
    """Whether it will claim again without a wake-up token."""

    @property
    def has_unanswered(self) -> bool:
        return any(self.unanswered.values())

    @property
    def has(self) -> list[Held]:
        return [*self.holds, *(held for unanswered in self.unanswered.values() for held in unanswered)]

    @property
    def free(self) -> int:
        return SLOTS - len(self.has)


class Claimable(NamedTuple):
    """The requests that a claim takes."""

    taken: list[Held]
    not_sent: list[Client]
    """Requests whose gateways receive that they were not sent."""
    work_remains: bool = False


class Model:
    """The state of all gateways, workers and clients, by the steps so far."""

    def __init__(self) -> None:
        self.queues: dict[Priority, list[Client]] = {priority: [] for priority in LEVELS}
        self.clients: list[Client] = []
        self.gateways: list[Gateway] = []
        self.workers: list[Worker] = []
        self.suspended = False
        self.redis_has_run = True
        """Whether Redis knows that it has run for long, so that a gateway without a sign of life is gone."""
        self.orphans: list[Held] = []
        """The requests of dead workers whose leases have not ended."""
        self.killed: list[str] = []
        """The names of the dead processes that have left their mailboxes behind."""

    def waiting(self) -> list[Client]:
        return [client for queue in self.queues.values() for client in queue if client.gateway.lives]

    def asking(self) -> list[Client]:
        return [client for client in self.clients if client.waits and not client.task.done()]

    def may_claim(self) -> bool:
        return any(worker.free or worker.has_unanswered for worker in self.workers)

    def idle(self) -> list[Worker]:
        """The workers that can claim two or more requests, and get the answer."""
        return [] if self.suspended else [one for one in self.workers if one.free > 1 and not one.unanswered["turn"]]

    def busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.has]

    def held(self) -> list[Held]:
        return [held for worker in self.workers for held in worker.has]

    def claims(self) -> list[tuple[Worker, Held]]:
        return [(worker, held) for worker in self.workers for held in worker.holds if held.published is None]

    def streams(self) -> list[tuple[Worker, Held]]:
        return [(worker, held) for worker in self.workers for held in worker.holds if held.published is not None]

    def take(self, free: int, *, is_sent_ahead: bool) -> Claimable:
        """Take from the queues what a claim for so many slots takes: high first, oldest first."""
        taken: list[Held] = []
        not_sent: list[Client] = []
        for priority in LEVELS:
            queue = self.queues[priority]
            at = 0  # those before it are passed over
            while at < len(queue) and len(taken) < free and not self.suspended:
                client = queue[at]
                is_skipped = client.is_of_another_server or (not client.gateway.lives and self.redis_has_run)
                has_no_sign = client.gateway.has_no_sign
                if not is_skipped and has_no_sign and not self.redis_has_run:
                    at += 1
                    continue
                if not is_skipped and has_no_sign:
                    not_sent.append(client)
                elif not is_skipped and is_sent_ahead and not client.may_be_claimed_ahead:
                    return Claimable(taken, not_sent, work_remains=True)
                elif not is_skipped:
                    client.claimed += 1
                    taken.append(Held(client, client.job_id))
                queue.pop(at)
        return Claimable(taken, not_sent)

    def take_again(self, unanswered: list[Held]) -> tuple[list[Held], list[Client]]:
        """Return which of these a repeated claim takes, and the requests whose gateways receive that it does not."""
        orphans = [held for held in unanswered if held.client.gateway.has_no_sign and self.redis_has_run]
        not_sent = [held.client for held in orphans if held.is_waited_for]
        for client in not_sent:
            client.claimed -= 1
        return [held for held in unanswered if held not in orphans], not_sent

    def lose(self, lost: Sequence[Client], error: type[Exception]) -> tuple[list[Client], list[Client]]:
        """Lose these requests. Return those that are queued again, in front, and those that fail."""
        for queue in self.queues.values():
            queue[:] = [client for client in queue if client not in lost]
        again = [client for client in lost if client.waits and client.is_repeated_after(error)]
        failing = [client for client in lost if client.waits and client not in again]
        for client in again:
            client.attempts += 1
            client.is_of_another_server = False
        for client in failing:
            client.may_fail = True
        for priority, queue in self.queues.items():
            queue[:0] = [client for client in self.clients if client in again and client.priority == priority]
        return again, failing
