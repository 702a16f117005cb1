"""The levels of a request."""

from enum import StrEnum


class Priority(StrEnum):
    """The two levels; the value is the name of the rq queue."""

    HIGH = "high"
    LOW = "low"
