"""What pure functions make of a message's fields, remembered: one client's requests, and one target's answers, have
heads that repeat, and reading one anew costs more than finding it again.

Found again is only what is the same, byte for byte, so nothing that is given can be another's.
"""

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from fast_priority.http.message import Field

P = ParamSpec("P")
F = TypeVar("F", bound=Sequence[Field])
T = TypeVar("T")

_MOST = 256
_LARGEST_BYTES = 4096
"""Of larger fields nothing is kept, so that all that is remembered stays small."""


def memoized(read: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """Give what `read` gave for the same fields and arguments, which are to be hashable; an error is not remembered.

    Whoever is given something changes nothing in it. The last 256 are kept, of fields of up to 4 KiB.
    """
    known: dict[Any, T] = {}

    def give(fields: F, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (tuple(fields), *args)
        if key in known:
            return known[key]
        found = read(fields, *args, **kwargs)
        if sum([len(name) + len(value) for name, value in fields]) <= _LARGEST_BYTES:
            if len(known) >= _MOST:
                del known[next(iter(known))]
            known[key] = found
        return found

    return give
