"""The paths that the load requests: a path states how a request is forwarded, its priority and its service time."""

from typing import Literal

Priority = Literal["high", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "low")
SERVICE_TIMES_MS = (0, 10, 16, 100, 200)
"""The times that the target can take."""
# Both have the same length, so each way parses the same number of bytes.
QUEUE_PREFIX = "/queue"
PASS_THROUGH_PREFIX = "/plain"


def path_of(prefix: str, priority: Priority, service_ms: int) -> str:
    """Return the path of requests of this kind."""
    return f"{prefix}/{priority}/{service_ms}"


def all_paths(prefix: str) -> list[tuple[str, int]]:
    """Return every path with this prefix, and its service time in milliseconds."""
    return [(path_of(prefix, priority, ms), ms) for priority in PRIORITIES for ms in SERVICE_TIMES_MS]
