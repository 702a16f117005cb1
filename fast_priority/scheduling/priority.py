"""The levels of a request."""

from collections.abc import Iterable
from enum import StrEnum


class Priority(StrEnum):
    """The levels, in order of precedence: workers take the first level first.

    The value is the name of the level's rq queue. All keys in Redis, and all steps of the broker, follow this list.
    """

    HIGH = "high"
    LOW = "low"


HIGHEST, *_, LOWEST = Priority
"""The levels that workers take first and last."""
_RANK = {level: rank for rank, level in enumerate(Priority)}


def lowest(levels: Iterable[Priority]) -> Priority:
    """Return the level that workers take last among these, of which there is at least one."""
    return max(levels, key=_RANK.__getitem__)
