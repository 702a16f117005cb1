"""The levels of a request, by name."""

import re
from collections.abc import Sequence
from typing import ClassVar

FEWEST_LEVELS, MOST_LEVELS = 2, 8
_NO_NAME = "none"
_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")


class Priority(str):
    """A level by its name, which is also the name of its rq queue. Which levels there are is a setting.

    `Priority.HIGH` and `Priority.LOW` are among them in every deployment. Raises ValueError for what is no name of a
    level: a small letter, and up to 15 small letters or digits behind it.
    """

    __slots__ = ()

    HIGH: ClassVar["Priority"]
    LOW: ClassVar["Priority"]

    def __new__(cls, name: str) -> "Priority":
        """Return the level with this name."""
        known = _ALWAYS_THERE.get(name)
        if known is not None:
            return known
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name[:40]!r} is not a name of a level: write a small letter, and up to 15 small letters or digits"
            )
        return str.__new__(cls, name)

    def __repr__(self) -> str:
        return f"Priority({str(self)!r})"

    def __reduce__(self) -> tuple[type["Priority"], tuple[str]]:
        return Priority, (str(self),)

    @property
    def value(self) -> str:
        """The name."""
        return str(self)


_ALWAYS_THERE = {name: str.__new__(Priority, name) for name in ("high", "low")}
Priority.HIGH, Priority.LOW = DEFAULT_LEVELS = (_ALWAYS_THERE["high"], _ALWAYS_THERE["low"])


def levels_from(names: Sequence[str]) -> tuple[Priority, ...]:
    """Return levels, of which the first is the most important, from their names. Raises ValueError.

    There are 2 to 8, each once, and high stands somewhere before low: paths choose between these two. None has the name
    `none`, which metrics and logs have for requests without a level.
    """
    levels = tuple(map(Priority, names))
    if _NO_NAME in levels:
        raise ValueError(f"{_NO_NAME} stands in metrics and logs for requests without a level: write another name")
    if not FEWEST_LEVELS <= len(levels) <= MOST_LEVELS:
        raise ValueError(f"there are {FEWEST_LEVELS} to {MOST_LEVELS} levels, and here are {len(levels)}")
    twice = next((level for level in levels if levels.count(level) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is there twice: each level has a name of its own")
    for level in DEFAULT_LEVELS:
        if level not in levels:
            raise ValueError(f"{level} is missing: paths choose between high and low, so both have to be there")
    if levels.index(Priority.HIGH) > levels.index(Priority.LOW):
        raise ValueError("low stands before high: write the most important level first")
    return levels
