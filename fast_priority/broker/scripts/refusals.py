"""Why Redis refused a step, and whether any of it was carried out."""

from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, ResponseError

from fast_priority.broker.connection import NotCarriedOut, is_out_of_memory, is_refused_write

__all__ = ["is_out_of_memory", "is_refusal", "is_wrong_type"]


def is_wrong_type(error: Exception) -> bool:
    """Return whether a step failed because a key in Redis has the wrong type. Another attempt would fail as well."""
    # The error of a script contains the error of the command: behind it since Redis 7, in the middle before that.
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)


def is_refusal(error: BaseException) -> bool:
    """Return whether Redis refused a step before it began, so that nothing of the step was carried out."""
    if isinstance(error, NoPermissionError):
        return "script" not in str(error)  # a script may have done some of its work before it was refused the rest
    return isinstance(error, NotCarriedOut | BusyLoadingError | AuthenticationError) or is_refused_write(error)
