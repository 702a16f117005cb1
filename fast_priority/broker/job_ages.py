"""How long jobs have waited, by the time that rq writes into each when it is queued. Pure but for the clock."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from fast_priority.broker.other_versions import QueuedJob

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_MOST_BYTES = 40


def oldest_seconds(jobs: Iterable[QueuedJob]) -> float:
    """Return how long the oldest of these jobs has waited, by the clock of this machine; 0 without any.

    Each gateway writes the time of its own clock, so the result is as exact as the clocks agree. What is no time, which
    anybody who reaches Redis may have written, is left out.
    """
    now = time.time()
    return max((now - at for job in jobs if (at := _queued_at(job)) is not None and at <= now), default=0.0)


def _queued_at(job: QueuedJob) -> float | None:
    written = job.enqueued_at
    if written is None or len(written) > _MOST_BYTES:
        return None
    try:
        return datetime.strptime(written.decode("ascii"), _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
