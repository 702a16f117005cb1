"""What one process knows of its Redis: which server answers, how its clock stands to ours, when it was away last."""

import time
from typing import NamedTuple

from redis.asyncio import Redis

from fast_priority.broker.connection.pipeline import send_together

_HELD_UP_SECONDS = 1.0
_JUMP_SECONDS = 0.3
"""So far a clock moves by being set, and not by drifting between two looks."""
_EXACT_SECONDS = 0.2
"""An answer that took longer says too little about the moment at which Redis read its clock."""


class Ahead(NamedTuple):
    """By how many seconds Redis's clock is ahead of `time.monotonic`: between these two."""

    least: float
    most: float


class RedisHealth:
    """Remembers the server that answered last, its clock, and when it was away.

    Away is a Redis that did not answer, answered late, is another server than before, or whose clock was set: each may
    have ended leases and signs of life of those who are well. After that, nobody is judged by what Redis knows until
    all have had time to show themselves. Hosts' clocks need not agree.
    """

    def __init__(self) -> None:
        self.server = b""
        """The run id of the server that answered last; empty before the first answer, or where it tells none."""
        self.upsets = 0
        """How many times it was found to be another server, or to have another time."""
        self._ahead: Ahead | None = None
        self._was_away_at = float("-inf")

    @property
    def ahead_seconds(self) -> float | None:
        """What to add to `time.monotonic` for Redis's time, in seconds: never too much. None: unknown."""
        return self._ahead.least if self._ahead is not None else None

    def clock_seconds(self, at: float) -> float | None:
        """Return Redis's time at `at`, by `time.monotonic`, as far as it is known; None if it is not."""
        return at + (self._ahead.least + self._ahead.most) / 2 if self._ahead is not None else None

    def note_away(self) -> None:
        """It does not answer."""
        self._was_away_at = time.monotonic()

    def note_held_up(self, asked_at: float) -> None:
        """It has answered what was asked at `asked_at`, by `time.monotonic`; late counts as away."""
        if time.monotonic() - asked_at > _HELD_UP_SECONDS:
            self.note_away()

    def note_answer(self, server: bytes, clock: tuple[int, int], asked_at: float) -> None:
        """This server has answered, and its clock stood at these seconds and microseconds."""
        if self.server not in (b"", server):
            self._note_upset()
        self.server = server
        self.note_clock(clock, asked_at)

    async def set_clock(self, redis: Redis) -> None:
        """Ask for its clock. Raises what `send_together` raises."""
        asked_at = time.monotonic()
        (answer,) = await send_together(redis, [("TIME",)])
        if isinstance(answer, Exception):
            raise answer
        self.note_clock(answer, asked_at)

    def note_clock(self, clock: tuple[int, int], asked_at: float) -> None:
        """Its clock stood at these seconds and microseconds, some time between `asked_at` and now."""
        told, now = int(clock[0]) + int(clock[1]) / 1e6, time.monotonic()
        seen, known = Ahead(told - now, told - asked_at), self._ahead
        jumped = known is not None and (
            seen.least > known.most + _JUMP_SECONDS or seen.most < known.least - _JUMP_SECONDS
        )
        if jumped:
            self._note_upset()
        if known is None or jumped or seen.most - seen.least < max(_EXACT_SECONDS, known.most - known.least):
            self._ahead = seen

    def was_away_within(self, seconds: float) -> bool:
        """Tell whether it was away at any time within the last so many seconds."""
        return time.monotonic() - self._was_away_at < seconds

    def _note_upset(self) -> None:
        self.upsets += 1
        self.note_away()
