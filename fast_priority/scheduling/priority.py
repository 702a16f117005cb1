"""The levels of a request."""

from enum import StrEnum


class Priority(StrEnum):
    """The levels, in order of precedence: workers take the first level first.

    The value is the name of the level's rq queue. All keys in Redis, and all steps of the broker, follow this list.
    """

    HIGH = "high"
    LOW = "low"
