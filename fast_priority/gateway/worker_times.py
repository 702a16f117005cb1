"""How long a worker has had its slot for a request, as it says with its answer."""

from fast_priority.events import RequestRecord
from fast_priority.http.message import SlotTimes

_MICROSECONDS = 1_000_000


def note_worker_times(record: RequestRecord, times: SlotTimes | None) -> None:
    """Note what a worker says of its slot. None: one of an earlier release does not say it, and nothing is noted."""
    if times is not None:
        until_head = None if times.until_head is None else times.until_head / _MICROSECONDS
        record.note_worker(times.until_sent / _MICROSECONDS, until_head)
