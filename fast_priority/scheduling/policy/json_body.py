"""The body of a request as conditions look at it: one JSON object (RFC 8259), and JSON Pointers into it. Pure.

What programs read in different ways is unreadable: conditions on it are unknown.
"""

import enum
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

_MOST_NESTED = 100
_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class BodyState(enum.Enum):
    """Why there is no JSON object to look at."""

    ABSENT = "the request has no body"
    UNREAD = "it has not been read yet"
    UNREADABLE = "it cannot be looked at"


Body: TypeAlias = dict[str, Any] | BodyState


class Missing(enum.Enum):
    """What a pointer leads to if it is not a value."""

    ABSENT = "the body has nothing there"
    UNCLEAR = "programs differ in what they find there"


def read_body(data: bytes | bytearray) -> Body:
    """Return the JSON object that these bytes are; ABSENT for no bytes, UNREADABLE for all that is not one object.

    An object is unreadable if a name stands twice in any of its objects, if it is nested over 100 deep, or if it is not
    in UTF-8.
    """
    if not data:
        return BodyState.ABSENT
    try:
        found = json.loads(data.decode(), object_pairs_hook=_with_single_names, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return BodyState.UNREADABLE
    if not isinstance(found, dict):
        return BodyState.UNREADABLE
    is_deep = data.count(b"{") + data.count(b"[") > _MOST_NESTED and _depth_is_over(found, _MOST_NESTED)
    return BodyState.UNREADABLE if is_deep else found


def pointer_tokens(pointer: str) -> tuple[str, ...]:
    """Return the names and indexes of a JSON Pointer (RFC 6901). Raises ValueError for other text."""
    if not _POINTER.fullmatch(pointer):
        raise ValueError(f"{pointer!r} is not a JSON Pointer: write /model, or /messages/0/role; ~1 is a slash, ~0 a ~")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def value_at(found: Any, tokens: Iterable[str]) -> Any:
    """Return the value to which the tokens of a pointer lead, or a Missing.

    Where a name of the object is the same but for small and capital letters, some programs take it for the one that is
    meant: then it is UNCLEAR.
    """
    for token in tokens:
        if isinstance(found, dict):
            folded = token.casefold()
            if any(name != token and name.casefold() == folded for name in found):
                return Missing.UNCLEAR
            if token not in found:
                return Missing.ABSENT
            found = found[token]
        elif isinstance(found, list):
            if not _INDEX.fullmatch(token) or int(token) >= len(found):
                return Missing.ABSENT
            found = found[int(token)]
        else:
            return Missing.ABSENT
    return found


def _with_single_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _depth_is_over(found: Any, most: int) -> bool:
    level: list[Any] = [found]
    for _ in range(most):
        level = [inner for outer in level for inner in _inner_of(outer)]
        if not level:
            return False
    return True


def _inner_of(outer: Any) -> Iterator[Any]:
    """Yield the objects and arrays inside an object or array."""
    values = outer.values() if isinstance(outer, dict) else outer
    return (value for value in values if isinstance(value, dict | list))
