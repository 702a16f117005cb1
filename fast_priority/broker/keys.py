"""The key table: every key in Redis that gateways and workers use, who writes it, and when it is removed.

All keys begin with rq's prefix (RQ_KEY_PREFIX, by default `rq`), so a hash tag in the prefix keeps them in one slot.
rq's keys have rq's names, so that rq's tools see queues, jobs and workers. Our own keys have `fast-priority` in them.

The keys that each level has are derived from its name, in `lanes_of`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from rq.command import PUBSUB_CHANNEL_TEMPLATE
from rq.defaults import RQ_KEY_PREFIX
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.suspension import WORKERS_SUSPENDED
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority

OURS = f"{RQ_KEY_PREFIX}:fast-priority"

JOB_PREFIX = f"{RQ_KEY_PREFIX}:job:"
GATEWAY_PREFIX = f"{OURS}:gateway:"
INBOX_PREFIX = f"{OURS}:inbox:"
CANCELLED_PREFIX = f"{OURS}:over:"
WORKER_PREFIX = f"{RQ_KEY_PREFIX}:worker:"
WAKE_UP = f"{OURS}:wake-up"
LEVELS = f"{OURS}:levels"
QUEUE_PREFIX = f"{RQ_KEY_PREFIX}:queue:"
REDIS_RUN = f"{OURS}:redis-run"
DEPLOYMENT = f"{OURS}:deployment"
DIRECT_CLAIM, CLAIM_SENT_AHEAD = "turn", "wait"
"""The two kinds of claim, as `last_claim` names them."""
QUEUES = f"{RQ_KEY_PREFIX}:queues"
SUSPENDED = WORKERS_SUSPENDED
WORKERS = REDIS_WORKER_KEYS


def queue(priority: Priority) -> str:
    """The list of waiting job ids; oldest at the left."""
    return QUEUE_PREFIX + priority.value


def started(queue_name: str) -> str:
    """The rq registry of started jobs: members `job id:execution id`, scored by the end of the lease."""
    return StartedJobRegistry.key_template.format(queue_name)


def failed(queue_name: str) -> str:
    """The rq registry of failed jobs, scored by the end of their TTL."""
    return FailedJobRegistry.key_template.format(queue_name)


def workers_of(queue_name: str) -> str:
    """The rq set of the keys of the workers that serve a queue."""
    return WORKERS_BY_QUEUE_KEY % queue_name


class Lanes(NamedTuple):
    """The levels in order of precedence, and the keys that each level has. All fields have the same order."""

    priorities: tuple[Priority, ...]
    names: tuple[str, ...]
    """The names of the rq queues."""
    queues: tuple[str, ...]
    started: tuple[str, ...]
    """The registries of started jobs, which hold the leases."""
    workers: tuple[str, ...]
    """The sets of workers."""


def lanes_of(priorities: Iterable[Priority]) -> Lanes:
    """Return the lanes for these levels, the first of which takes precedence."""
    levels = tuple(priorities)
    names = tuple(priority.value for priority in levels)
    queues = tuple(queue(priority) for priority in levels)
    return Lanes(levels, names, queues, tuple(map(started, names)), tuple(map(workers_of, names)))


LANES = lanes_of(DEFAULT_LEVELS)
"""The levels that there always are. A process knows its lanes by `KnownLanes`."""
LANE_KEY_PREFIXES = {"queue_keys": QUEUE_PREFIX, "started_keys": started(""), "lane_workers_keys": workers_of("")}
"""How the keys of each kind begin; the name of the level follows. The names are those of the scripts."""


def job(job_id: str) -> str:
    """The rq hash of one job."""
    return JOB_PREFIX + job_id


def gateway(gateway_id: str) -> str:
    """The sign of life of one gateway process."""
    return GATEWAY_PREFIX + gateway_id


def inbox(name: str) -> str:
    """The mailbox of one process: of a gateway by its id, or of a worker by its name."""
    return INBOX_PREFIX + name


def processing_list(name: str) -> str:
    """The frames that a process has taken from its mailbox and may not have handled yet."""
    return f"{OURS}:aside:{name}"


def last_claim(worker_name: str, kind: str) -> str:
    """The ids that a worker claimed last with one kind of claim, if the answer to that claim was lost.

    `kind` is DIRECT_CLAIM or CLAIM_SENT_AHEAD.
    """
    return f"{OURS}:claim:{worker_name}:{kind}"


def stop_signal(worker_name: str) -> str:
    """The list on which a worker that waits for work receives the signal to stop waiting."""
    return f"{OURS}:no-more:{worker_name}"


def cancelled(job_id: str) -> str:
    """The string that exists while Redis remembers that a gateway has cancelled a request."""
    return CANCELLED_PREFIX + job_id


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One row of the key table, as the architecture document shows it."""

    pattern: str
    kind: str
    holds: str
    written_by: str
    gone: str


KEY_TABLE = (
    KeyRow(QUEUES, "set", "names of rq's queues", "gateway", "never: one member for each level, rq's register"),
    *(
        KeyRow(key, "list", "ids of waiting requests", "gateway", "empty, or TTL + 60 s after the last")
        for key in LANES.queues
    ),
    KeyRow(
        f"{JOB_PREFIX}<id>", "hash", "one request as an rq job", "gateway; worker",
        "when answered; TTL while queued; 3.5 s after its worker's last sign of life; a tombstone after 10 s",
    ),
    KeyRow(started("<queue>"), "zset", "leases: job id:execution id", "worker", "when answered, or after 64 s"),
    KeyRow(failed("<queue>"), "zset", "jobs that are not ours", "worker", "a day after the last"),
    KeyRow(f"{RQ_KEY_PREFIX}:results:<id>", "stream", "why a job was refused", "worker", "after a day"),
    KeyRow(WAKE_UP, "list", "one token for each submit, at most 64", "gateway; worker", "queues empty, or after 60 s"),
    KeyRow(f"{GATEWAY_PREFIX}<id>", "string", "sign of life: the wire version", "gateway", "3.5 s after the last"),
    KeyRow(
        LEVELS, "hash", "the levels: in force, served, how often they changed", "gateway", "15 s after the last gateway"
    ),
    KeyRow(REDIS_RUN, "string", "since when Redis has run, and until when", "worker", "60 s after the last"),
    KeyRow(
        DEPLOYMENT, "string", "identity of the deployment, which Via carries", "gateway", "60 s after the last gateway"
    ),
    KeyRow(
        f"{INBOX_PREFIX}<name>", "list", "frames for one gateway or worker", "worker; gateway", "read, or after 60 s"
    ),
    KeyRow(
        processing_list("<name>"), "list", "frames being read", "gateway; worker", "with the next read, or after 60 s"
    ),
    KeyRow(f"{CANCELLED_PREFIX}<id>", "string", "a gateway has cancelled the request", "gateway", "after 60 s"),
    KeyRow(
        f"{WORKER_PREFIX}<name>", "hash", "rq's record of a worker, its slots and warnings", "worker",
        "15 s after the last",
    ),
    KeyRow(
        last_claim("<name>", "<kind>"), "string",
        f"ids claimed last; `{DIRECT_CLAIM}`: by a worker, `{CLAIM_SENT_AHEAD}`: sent ahead; a number: by a turn",
        "worker; gateway", "3.5 s after the claim",
    ),
    KeyRow(stop_signal("<name>"), "list", "the signal to stop waiting for work", "worker", "read, or after 5 s"),
    KeyRow(WORKERS, "set", "keys of rq's workers", "worker", "when the last worker leaves"),
    KeyRow(workers_of("<queue>"), "set", "keys of the queue's workers", "worker", "when the last worker leaves"),
    KeyRow(PUBSUB_CHANNEL_TEMPLATE % "<name>", "channel", "rq's commands to a worker", "rq", "not stored"),
)  # fmt: skip
"""All keys. A test compares the keys of a used Redis with it."""
