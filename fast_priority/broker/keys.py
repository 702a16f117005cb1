"""The key table: every key in Redis that the gateway and the workers use, who writes it and when it goes.

All keys are under rq's own prefix (RQ_KEY_PREFIX, `rq` unless told otherwise), so one hash tag in it keeps them in one
slot. rq's own keys have rq's names, so that rq's tools see queues, jobs and workers; ours have `fast-priority` in them.
"""

from dataclasses import dataclass

from rq.command import PUBSUB_CHANNEL_TEMPLATE
from rq.defaults import RQ_KEY_PREFIX
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.suspension import WORKERS_SUSPENDED
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from fast_priority.scheduling.priority import Priority

OURS = f"{RQ_KEY_PREFIX}:fast-priority"

JOB_PREFIX = f"{RQ_KEY_PREFIX}:job:"
GATEWAY_PREFIX = f"{OURS}:gateway:"
INBOX_PREFIX = f"{OURS}:inbox:"
MARK_PREFIX = f"{OURS}:over:"
WORKER_PREFIX = f"{RQ_KEY_PREFIX}:worker:"
WAKE_UP = f"{OURS}:wake-up"
DEPLOYMENT = f"{OURS}:deployment"
QUEUES = f"{RQ_KEY_PREFIX}:queues"
SUSPENDED = WORKERS_SUSPENDED
WORKERS = REDIS_WORKER_KEYS

LEASE_SECONDS = 3.5
"""How long a started request stays its worker's without a sign of life; renewed every second."""
LEASE_MILLISECONDS = int(LEASE_SECONDS * 1000)
MARK_TTL_SECONDS = 60
"""How long it is known of a request that was given up that it is over."""
GATEWAY_TTL_SECONDS = 15
"""How long a gateway counts as alive after its last sign of life; renewed every 3 s and by every submit."""
DEPLOYMENT_TTL_SECONDS = 60
"""How long the identity of the deployment outlives its last gateway; renewed every 3 s by each."""
MOST_BYTES_WITHOUT_MEMORY = 64 * 1024
"""Most bytes that are pushed on a mailbox of a Redis that is out of memory."""
INBOX_TTL_SECONDS = 60
"""How long frames wait for a process that has stopped reading."""
WAKE_UP_TTL_SECONDS = 60
"""How long a wake-up token lives; idle workers look by themselves long before."""
END_OF_WAITING_TTL_SECONDS = 5
"""How long a worker that no longer waits for work is told so; it waits for 2 s at most."""
MOST_WAKE_UPS = 64
"""Most wake-up tokens kept: as many idle workers are woken at once; each then wakes the next while work remains."""
WORKER_TTL_SECONDS = 15
"""How long a PriorityWorker counts as alive after its last sign of life; renewed every second."""
FAILED_TTL_SECONDS = 86_400
"""How long a refused job stays in rq's failed registry, with its reason, for somebody to look at."""
TOMBSTONE_TTL_SECONDS = 10
"""How long a submit that was found absent is kept from being queued: longer than its bytes can be under way."""
QUEUE_GRACE_SECONDS = 60
"""How much longer than the jobs in it a queue is kept after the last submit."""


def queue(priority: Priority) -> str:
    """The list of waiting job ids; oldest at the left."""
    return f"{RQ_KEY_PREFIX}:queue:{priority.value}"


LANES = [queue(Priority.HIGH), queue(Priority.LOW)]
"""Both of them, high first."""


def started(queue_name: str) -> str:
    """The rq registry of started jobs: `job id:execution id`, scored by when the lease runs out."""
    return StartedJobRegistry.key_template.format(queue_name)


LEASES = [started(Priority.HIGH.value), started(Priority.LOW.value)]
"""Both of them, high first."""


def failed(queue_name: str) -> str:
    """The rq registry of failed jobs, scored by when they may be forgotten."""
    return FailedJobRegistry.key_template.format(queue_name)


def workers_of(queue_name: str) -> str:
    """The rq set of the keys of the workers that serve a queue."""
    return WORKERS_BY_QUEUE_KEY % queue_name


def job(job_id: str) -> str:
    """The rq hash of one job."""
    return JOB_PREFIX + job_id


def gateway(gateway_id: str) -> str:
    """The sign of life of one gateway process."""
    return GATEWAY_PREFIX + gateway_id


def inbox(name: str) -> str:
    """The mailbox of one process: frames for a gateway, by its id, or for a worker, by its name."""
    return INBOX_PREFIX + name


def set_aside(name: str) -> str:
    """What a process has taken out of its mailbox and may not have handed over yet."""
    return f"{OURS}:aside:{name}"


def last_claim(worker_name: str, way: str) -> str:
    """What a worker claimed last in one way, should the answer to that claim be lost."""
    return f"{OURS}:claim:{worker_name}:{way}"


def end_of_waiting(worker_name: str) -> str:
    """The list that a worker waits on beside the wake-ups, to be told that it shall wait no more."""
    return f"{OURS}:no-more:{worker_name}"


def mark(job_id: str) -> str:
    """The mark that a request which was given up is over."""
    return MARK_PREFIX + job_id


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One row of the key table, as docs/architecture.md shows it."""

    pattern: str
    kind: str
    holds: str
    written_by: str
    gone: str


KEY_TABLE = (
    KeyRow(QUEUES, "set", "names of rq's queues", "gateway", "never: two members, rq's register"),
    KeyRow(queue(Priority.HIGH), "list", "ids of waiting requests", "gateway", "empty, or TTL + 60 s after the last"),
    KeyRow(queue(Priority.LOW), "list", "ids of waiting requests", "gateway", "empty, or TTL + 60 s after the last"),
    KeyRow(
        f"{JOB_PREFIX}<id>", "hash", "one request as an rq job", "gateway; worker",
        "when answered; TTL while queued; 3.5 s after its worker's last sign of life; a tombstone after 10 s",
    ),
    KeyRow(started("<queue>"), "zset", "leases: job id:execution id", "worker", "when answered, or after 64 s"),
    KeyRow(failed("<queue>"), "zset", "jobs that are not ours", "worker", "a day after the last"),
    KeyRow(f"{RQ_KEY_PREFIX}:results:<id>", "stream", "why a job was refused", "worker", "after a day"),
    KeyRow(WAKE_UP, "list", "one token for each submit, at most 64", "gateway; worker", "queues empty, or after 60 s"),
    KeyRow(f"{GATEWAY_PREFIX}<id>", "string", "sign of life", "gateway", "15 s after the last"),
    KeyRow(
        DEPLOYMENT, "string", "identity of the deployment, which Via carries", "gateway", "60 s after the last gateway"
    ),
    KeyRow(
        f"{INBOX_PREFIX}<name>", "list", "frames for one gateway or worker", "worker; gateway", "read, or after 60 s"
    ),
    KeyRow(set_aside("<name>"), "list", "frames being read", "gateway; worker", "with the next read, or after 60 s"),
    KeyRow(f"{MARK_PREFIX}<id>", "string", "a request that was given up is over", "gateway", "after 60 s"),
    KeyRow(f"{WORKER_PREFIX}<name>", "hash", "rq's record of a worker, and its slots", "worker", "15 s after the last"),
    KeyRow(last_claim("<name>", "<way>"), "string", "ids a worker claimed last", "worker", "3.5 s after the claim"),
    KeyRow(end_of_waiting("<name>"), "list", "that a worker shall take no more", "worker", "read, or after 5 s"),
    KeyRow(WORKERS, "set", "keys of rq's workers", "worker", "when the last worker leaves"),
    KeyRow(workers_of("<queue>"), "set", "keys of the queue's workers", "worker", "when the last worker leaves"),
    KeyRow(PUBSUB_CHANNEL_TEMPLATE % "<name>", "channel", "rq's commands to a worker", "rq", "not stored"),
)  # fmt: skip
"""Every key there is. A test holds a used Redis against it."""
