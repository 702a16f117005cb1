"""How many files the system lets this process open. Each connection is one."""

import resource


def raise_file_limit() -> int:
    """Let this process open as many files as the system allows; return the number, which may be RLIM_INFINITY."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # some systems allow fewer than they report
            return soft
    return hard
