"""Memoizes what pure functions compute from the fields of a message.

The requests of one client, and the responses of one target, have heads that repeat, and reading a head again costs more
than looking it up. The result is used again only for fields and arguments that are equal byte for byte, so one
message's result is never another's.

This is a part of `http/` and not of `support/`, because it knows field lines: it makes a key of a list of them, and
limits the memory by their bytes.
"""

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from fast_priority.http.message import Field, Fields
from fast_priority.http.request_id import REQUEST_ID
from fast_priority.http.server_timing import SERVER_TIMING

P = ParamSpec("P")
F = TypeVar("F", bound=Sequence[Field])
T = TypeVar("T")

_MOST_RESULTS = 256
_MOST_FIELDS_BYTES = 4096  # of larger fields no result is kept
_OF_ONE_MESSAGE = frozenset({REQUEST_ID, SERVER_TIMING})


def memoized(read: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """Return a function that returns the result of `read` for the same fields and arguments without calling it again.

    The arguments have to be hashable, and callers must not change a result. An error is not kept. The last 256 results
    are kept, of fields of up to 4 KiB.
    """
    results: dict[Any, T] = {}

    def look_up(fields: F, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (tuple(fields), *args)
        if key in results:
            return results[key]
        result = read(fields, *args, **kwargs)
        if sum([len(name) + len(value) for name, value in fields]) <= _MOST_FIELDS_BYTES:
            if len(results) >= _MOST_RESULTS:
                del results[next(iter(results))]
            results[key] = result
        return result

    return look_up


def split_at_own(fields: Fields) -> tuple[Fields, Fields]:
    """Return the fields that may repeat, and those at the end that belong to one message only.

    The gateway appends these. If they were a part of the key, no head would ever be found again.
    """
    end = len(fields)
    while end and fields[end - 1][0] in _OF_ONE_MESSAGE:
        end -= 1
    return fields[:end], fields[end:]
