"""The records of a run: what was sent, what arrived at the target, and both joined by request id."""

from loadtests.records.files import Recording, read_arrivals, read_sent
from loadtests.records.traces import Arrival, Outcome, Passage, Priority, RecordError, Sent, join

__all__ = [
    "Arrival",
    "Outcome",
    "Passage",
    "Priority",
    "RecordError",
    "Recording",
    "Sent",
    "join",
    "read_arrivals",
    "read_sent",
]
