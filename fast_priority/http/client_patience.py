"""How long one client may keep the gateway waiting, for its body or for it to take a response.

It is a budget of time. It runs down only while the client is the one waited for, and each byte that the client sends
or takes adds to it. So silence ends it, and so does a trickle of bytes; a client that is slow but steady goes on.
"""

LEAST_BYTES_PER_SECOND = 500
"""A client that is slower than that is not ready. Live audio of 8 kbit/s, a slow use of HTTP, moves twice as many."""


class ClientTimeout:
    """The budget of one client: `most_seconds` at first, and never more than that."""

    def __init__(self, most_seconds: float) -> None:
        self.most_seconds = most_seconds
        self.left_seconds = most_seconds
        """For how long the client may still be waited for, if it moves no byte meanwhile."""

    @property
    def is_over(self) -> bool:
        """Whether the client has kept the gateway waiting for too long."""
        return self.left_seconds <= 0

    def count(self, waited_seconds: float, moved_bytes: int) -> None:
        """Count for how long the client was waited for, and how many bytes it sent or took in that time."""
        left_seconds = self.left_seconds - waited_seconds + moved_bytes / LEAST_BYTES_PER_SECOND
        self.left_seconds = min(left_seconds, self.most_seconds)

    def __str__(self) -> str:
        return f"under {LEAST_BYTES_PER_SECOND} bytes a second, and the patience of {self.most_seconds:g} s is over"
