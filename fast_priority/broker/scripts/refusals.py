"""Why Redis refused a step, and whether any of it was carried out."""

from redis.exceptions import AuthenticationError, BusyLoadingError, OutOfMemoryError, ResponseError

from fast_priority.broker.connection import NotCarriedOut


def is_wrong_type(error: Exception) -> bool:
    """Return whether a step failed because a key in Redis has the wrong type. Another attempt would fail as well."""
    # The error of a script contains the error of the command: behind it since Redis 7, in the middle before that.
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether a step failed because Redis has no memory for it now."""
    return isinstance(error, OutOfMemoryError) or (isinstance(error, ResponseError) and "OOM command" in str(error))


def is_refusal(error: BaseException) -> bool:
    """Return whether Redis refused a step before it began, so that nothing of the step was carried out."""
    return isinstance(error, NotCarriedOut | BusyLoadingError | AuthenticationError) or is_out_of_memory(error)
