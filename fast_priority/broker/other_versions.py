"""What is on the queues and among the workers that is not of this release, and what workers warn of. Pure.

The monitor reads the records and the first jobs of each queue; here they become sentences for log and health.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from fast_priority.broker import keys, times
from fast_priority.broker.jobs import FUNCTION_OF_1X
from fast_priority.protocol.frames import LogLine
from fast_priority.protocol.wire_version import version_in

_MOST_FIELD_BYTES = 16 * 1024
_MOST_STOCK_WORKERS = 5
MOST_WARNINGS = 10
"""The most warnings in one worker's record, and the most of all workers that health shows."""
_MOST_NAMES = 3
_MOST_NAME_CHARACTERS = 80
STOCK_WORKER = "stock worker "
"""How the key of a warning about a stock worker begins; the worker's name follows."""
_warnings_decoder = msgspec.json.Decoder(list[LogLine])


JOB_FIELDS = ("gateway", "wire", "description", "enqueued_at")
"""The fields of a waiting job, in the order of QueuedJob."""
WORKER_FIELDS = (
    "birth", "death", "slots", "successful_job_count", "failed_job_count", "wire", "warnings", "version"
)  # fmt: skip
"""The fields of a worker's record, in the order of WorkerRecord."""


class QueuedJob(NamedTuple):
    """What is known of a waiting job; None for a field that is missing."""

    gateway: bytes | None
    wire: bytes | None
    description: bytes | None
    enqueued_at: bytes | None = None


class WorkerRecord(NamedTuple):
    """What the record of a worker has, and its key; None for a field that is missing."""

    birth: bytes | None
    death: bytes | None
    slots: bytes | None
    successful: bytes | None
    failed: bytes | None
    wire: bytes | None
    warnings: bytes | None
    rq_version: bytes | None
    key: bytes

    @property
    def is_alive(self) -> bool:
        """Whether the worker has begun and has not ended."""
        return bool(self.birth) and not self.death

    @property
    def is_foreign(self) -> bool:
        """Whether it seems to be of another program: a stock worker whose jobs fail, and that has run none of ours."""
        return not self.slots and not self.wire and (self.failed or b"0") != b"0"

    @property
    def name(self) -> str:
        """The name of the worker, as it can stand in a log."""
        name = self.key.removeprefix(keys.WORKER_PREFIX.encode()).decode(errors="replace")
        return ascii(name[:_MOST_NAME_CHARACTERS])[1:-1]


def warnings_of(heads: Mapping[str, Sequence[QueuedJob]], workers: Iterable[WorkerRecord]) -> dict[str, str]:
    """Return the warnings by what they are about, which stays the same while numbers in the text change.

    `heads` has the first jobs of each queue, at most as many as a claim passes over.
    """
    living = [worker for worker in workers if worker.is_alive]
    warnings = dict(_about_newer_jobs(heads, living))
    warnings |= _about_jobs_of_1x(heads)
    warnings |= _about_stock_workers(living)
    return warnings | dict(_of_workers(living))


def about_unserved(levels: Sequence[str], waiting: Sequence[int], served: Sequence[bool]) -> dict[str, str]:
    """Return a warning for each level at which requests wait and that no live worker serves, while others are served.

    Workers of an earlier release serve high and low only, and rq's own what they were started with.
    """
    if not any(served):
        return {}
    return {
        f"unserved {level}": f"{count} waiting at level {level}, which no live worker serves: replace workers of an "
        f"earlier release, and start stock ones with `rq worker {' '.join(levels)}`"
        for level, count, is_served in zip(levels, waiting, served, strict=True)
        if count and not is_served
    }


def encode_warnings(texts: Sequence[str]) -> bytes:
    """Return the field `warnings` of a worker's record: the first 10 of these."""
    return msgspec.json.encode(texts[:MOST_WARNINGS])


def decode_warnings(field: bytes | None) -> list[str]:
    """Return the warnings in a worker's record; none if they cannot be read, or are too long."""
    if field is None or len(field) > _MOST_FIELD_BYTES:
        return []
    try:
        return _warnings_decoder.decode(field)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _about_newer_jobs(
    heads: Mapping[str, Sequence[QueuedJob]], living: Iterable[WorkerRecord]
) -> Iterator[tuple[str, str]]:
    known = max((version_in(worker.wire) for worker in living if worker.slots), default=None)
    if known is None:  # no worker at all is what health says then
        return
    newer = {
        queue: [found for job in head if job.gateway and (found := version_in(job.wire)) > known]
        for queue, head in heads.items()
    }
    versions = [found for of_queue in newer.values() for found in of_queue]
    if not versions:
        return
    some_are_out_of_sight = any(len(of_queue) >= times.MOST_PASSED_OVER for of_queue in newer.values())
    count = f"{'at least ' * some_are_out_of_sight}{len(versions)}"
    waiting = f"{count} request waits" if count == "1" else f"{count} requests wait"
    yield (
        "newer jobs",
        f"{waiting} for a newer worker: wire version {max(versions)}; this deployment's workers know up to {known}",
    )


def _about_jobs_of_1x(heads: Mapping[str, Sequence[QueuedJob]]) -> dict[str, str]:
    begins = f"{FUNCTION_OF_1X}(".encode()
    return {
        f"job of 1.x on {queue}": f"a job of fast-priority 1.x is on queue {queue}: only a worker of 1.x can run it; "
        "give 1.x a Redis, or a database in it, of its own"
        for queue, head in heads.items()
        if any(not job.gateway and (job.description or b"").startswith(begins) for job in head)
    }


def _about_stock_workers(living: Iterable[WorkerRecord]) -> dict[str, str]:
    """Return a warning for each worker of rq that has not run a job of this release yet."""
    unknown = [worker for worker in living if not worker.slots and not worker.wire]
    return {f"{STOCK_WORKER}{worker.name}": _on_stock_worker(worker) for worker in unknown[:_MOST_STOCK_WORKERS]}


def _on_stock_worker(worker: WorkerRecord) -> str:
    failed = worker.failed.decode() if worker.failed and worker.failed.isdigit() and len(worker.failed) < 10 else "0"
    rq_version = ascii((worker.rq_version or b"?")[:20].decode(errors="replace"))[1:-1]
    return (
        f"worker {worker.name} is rq's own (rq {rq_version}), has run no request of Fast Priority 2, and {failed} of "
        "its jobs have failed: if it is of fast-priority 1.x or of another program, requests that it takes get 502"
    )


def _of_workers(living: Iterable[WorkerRecord]) -> Iterator[tuple[str, str]]:
    """Yield what workers warn of. What several of them say is one warning."""
    names: dict[str, list[str]] = {}
    for worker in living:
        for text in decode_warnings(worker.warnings)[:MOST_WARNINGS]:
            if text in names or len(names) < MOST_WARNINGS:
                names.setdefault(text, []).append(worker.name)
    for text, of_text in names.items():
        others = len(of_text) - _MOST_NAMES
        shown = ", ".join(of_text[:_MOST_NAMES]) + (f" and {others} more" if others > 0 else "")
        yield f"of workers: {text}", f"{text} (said by {'worker' if len(of_text) == 1 else 'workers'} {shown})"
