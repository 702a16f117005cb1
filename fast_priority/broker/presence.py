"""Which Redis answers, and whether it has just come back."""

import time

_HELD_UP_SECONDS = 1.0


class Presence:
    """Remembers the server that answered last, and when one was away that may have forgotten who lives.

    Whoever judges others by what Redis knows of them waits, after that, until they have had time to show themselves.
    """

    def __init__(self) -> None:
        self.server = b""
        """The run id of the server that answered last; empty before the first answer."""
        self._was_away_at = float("-inf")

    def note_away(self) -> None:
        """It does not answer."""
        self._was_away_at = time.monotonic()

    def note_answer(self, server: bytes, asked_at: float) -> None:
        """It has answered what was asked at `asked_at`, by `time.monotonic`: late, or another one, counts as away."""
        if time.monotonic() - asked_at > _HELD_UP_SECONDS or self.server not in (b"", server):
            self.note_away()
        self.server = server

    def was_away_within(self, seconds: float) -> bool:
        """Tell whether it was away at any time within the last so many seconds."""
        return time.monotonic() - self._was_away_at < seconds
