"""The paths that are asked for: where a request goes, how urgent it is, and how long the target takes. Pure."""

from typing import Literal

Priority = Literal["high", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "low")
SERVICES_MS = (0, 10, 16, 100, 200)
"""How long the target can be told to take."""
# As long as each other, so that the same bytes are parsed.
QUEUE = "/queue"
PLAIN = "/plain"


def path_of(prefix: str, priority: Priority, service_ms: int) -> str:
    """Give the path of such requests."""
    return f"{prefix}/{priority}/{service_ms}"


def all_paths(prefix: str) -> list[tuple[str, int]]:
    """Give every path with this prefix, and how long the target takes for it."""
    return [(path_of(prefix, priority, ms), ms) for priority in PRIORITIES for ms in SERVICES_MS]
