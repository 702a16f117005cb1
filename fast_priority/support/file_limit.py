"""How many files the system lets this process have open: each client's connection is one."""

import logging
import resource

logger = logging.getLogger(__name__)

KEPT_FILES = 512
"""What is kept for connections to Redis and the target, for those over the limit, and for the rest."""


def raise_file_limit() -> int:
    """Let this process have as many files open as the system allows it, and give the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # some systems allow less than they say
            return soft
    return hard


def connections_that_fit(wanted: int, files: int) -> int:
    """Give how many connections may be taken: as many as are wanted (0: no limit), or as there are files for.

    One line of the log tells of it when they are fewer.
    """
    if files == resource.RLIM_INFINITY or not wanted or wanted + KEPT_FILES <= files:
        return wanted
    fits = max(files - KEPT_FILES, files // 2, 1)
    logger.warning(
        "FAST_PRIORITY_MAX_CONNECTIONS=%d needs %d open files, and this process may have %d: it takes %d connections "
        "(raise `ulimit -n`, LimitNOFILE or the container's ulimits)",
        wanted, wanted + KEPT_FILES, files, fits,
    )  # fmt: skip
    return fits
