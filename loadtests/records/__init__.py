"""The records of a run: what was sent, what arrived at the target, and both joined by request id."""

from loadtests.records.files import RecordWriter, read_arrivals, read_sent
from loadtests.records.traces import (
    LEVELS,
    Arrival,
    Outcome,
    Priority,
    RecordError,
    RequestTrace,
    SentRequest,
    join_records,
)

__all__ = [
    "LEVELS",
    "Arrival",
    "Outcome",
    "Priority",
    "RecordError",
    "RecordWriter",
    "RequestTrace",
    "SentRequest",
    "join_records",
    "read_arrivals",
    "read_sent",
]
