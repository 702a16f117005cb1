"""Three values of a condition: True, False, and None where it is unknown. Pure.

Unknown is not false: what cannot be looked at in a request may be anything for the target.
"""

from collections.abc import Iterable
from typing import TypeAlias

Truth: TypeAlias = bool | None


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether all are true: False if one is false, else None if one is unknown. The rest is not computed."""
    found: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def same_for_all(truths: Iterable[Truth]) -> Truth:
    """Return the value that all of them have; None if they differ, or if there are none."""
    distinct = set(truths)
    return distinct.pop() if len(distinct) == 1 else None
