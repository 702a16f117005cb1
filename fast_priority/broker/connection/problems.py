"""What is wrong with Redis, in words: from the error of one command. Pure."""

import re
from typing import NamedTuple

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from fast_priority.broker.connection.pool import NotCarriedOut

_CODE = re.compile(r"[A-Z]{2,24}\b")
# A script that may not run a command or use a key, in Redis 6.2 and 7.0, and in later ones.
_REFUSED_BY_ACL = ("The user executing the script can't", "ACL failure in script")

# In a script of Redis 6.2, and where a command blocks when the server is made a replica.
_REFUSED_BY_REPLICA = ("READONLY You can't write", "(master -> replica")


class Problem(NamedTuple):
    """Why Redis does not do what it was asked for."""

    words: str
    """One clause, which has Redis as its subject. It has no text that came from Redis, and no secret."""
    is_refusal: bool
    """Whether Redis answers, and refuses what it was asked for."""
    stops_all_writes: bool = False
    """Whether Redis takes no write of anybody: once it takes one, that is over."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether a step failed because Redis has no memory for it now."""
    return isinstance(error, OutOfMemoryError) or (isinstance(error, ResponseError) and "OOM command" in str(error))


def is_refused_write(error: BaseException) -> bool:
    """Return whether Redis takes no write of anybody now. Then nothing of the step was carried out.

    A script is refused at its first write: once it has written, Redis lets it end.
    """
    return is_out_of_memory(error) or (
        isinstance(error, ResponseError)
        and (
            isinstance(error, ReadOnlyError | MasterDownError)
            or _has(error, "MISCONF", "NOREPLICAS", *_REFUSED_BY_REPLICA)
        )
    )


def problem_of(error: BaseException) -> Problem:
    """Return what an error of redis-py shows about Redis."""
    # The pool raises its own error in place of the one that says why there is no connection.
    cause = error.__cause__ if isinstance(error, NotCarriedOut) and error.__cause__ is not None else error
    words = _words_of(cause)
    return Problem("Redis does not answer", False) if words is None else Problem(words, True, is_refused_write(cause))


def _words_of(error: BaseException) -> str | None:
    if isinstance(error, AuthenticationError):
        return "Redis refuses the login: user or password are wrong"
    if isinstance(error, BusyLoadingError):
        return "Redis is loading its data"
    if not isinstance(error, ResponseError):
        return None
    if is_out_of_memory(error):
        return "Redis refuses writes: it is out of memory (maxmemory)"
    if isinstance(error, ReadOnlyError) or _has(error, *_REFUSED_BY_REPLICA):
        return "Redis refuses writes: it is a replica, or was made one (READONLY)"
    if isinstance(error, MasterDownError):
        return "Redis refuses commands: it is a replica that has lost its master (MASTERDOWN)"
    if _has(error, "MISCONF"):
        return "Redis refuses writes: it cannot save its data on disk (MISCONF)"
    if _has(error, "NOREPLICAS"):
        return "Redis refuses writes: it has too few replicas (min-replicas-to-write)"
    if isinstance(error, NoPermissionError) or _has(error, *_REFUSED_BY_ACL):
        return "Redis refuses commands: its ACL does not allow them to this user (NOPERM)"
    code = _CODE.match(str(error))
    return f"Redis refuses commands ({code[0]})" if code else "Redis refuses commands"


def _has(error: BaseException, *parts: str) -> bool:
    # The error of a script contains the error of the command: in front since Redis 7, in the middle before that.
    return any(part in str(error) for part in parts)
