"""A timeout for a peer that has to send or to read many bytes: a least rate of bytes, with some seconds in advance.

The timeout is a budget of seconds. It runs down only while this process waits for the peer, and each byte that the peer
sends or reads adds to it. So a silent peer times out, and one that moves a byte now and then does too. A peer that is
slow but steady does not.
"""


class RateTimeout:
    """The budget of one peer: `most_seconds` at first, and never more than that.

    A peer that moves `least_bytes_per_second` uses up nothing of it.
    """

    __slots__ = ("_least_bytes_per_second", "most_seconds", "remaining_seconds")

    def __init__(self, most_seconds: float, least_bytes_per_second: float) -> None:
        self._least_bytes_per_second = least_bytes_per_second
        self.most_seconds = most_seconds
        self.remaining_seconds = most_seconds
        """For how many more seconds the peer may move no byte."""

    @property
    def is_over(self) -> bool:
        """Return whether the peer has used up its time."""
        return self.remaining_seconds <= 0

    def count(self, waited_seconds: float, moved_bytes: int) -> None:
        """Count for how long this process waited for the peer, and how many bytes the peer moved in that time."""
        remaining_seconds = self.remaining_seconds - waited_seconds + moved_bytes / self._least_bytes_per_second
        self.remaining_seconds = min(remaining_seconds, self.most_seconds)

    def __str__(self) -> str:
        return f"under {self._least_bytes_per_second:g} bytes a second, with {self.most_seconds:g} s in advance"
