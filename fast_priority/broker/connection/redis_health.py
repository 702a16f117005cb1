"""What one process knows about its Redis: which server answers, how its clock stands to ours, when it was away last."""

import time
from typing import NamedTuple

from redis.asyncio import Redis

from fast_priority.broker.connection.pipeline import send_together

_HELD_UP_SECONDS = 1.0
_JUMP_SECONDS = 0.3
"""A clock that moves by more than this was set. It drifts by less between two answers."""
_EXACT_SECONDS = 0.2
"""An answer that took longer says too little about when Redis read its clock."""


class Ahead(NamedTuple):
    """How many seconds Redis's clock is ahead of `time.monotonic`: between these two numbers."""

    least: float
    most: float


class RedisHealth:
    """Remembers the server that answered last, its clock, and when it was away.

    Redis counts as away when it did not answer, answered late, is another server than before, or when its clock was
    set. Each of these may have ended leases and signs of life of processes that are alive. So after that, callers wait
    until all processes have had time to renew them, before they take a request for lost or a gateway for gone. The
    clocks of different hosts need not agree.
    """

    def __init__(self) -> None:
        self.server = b""
        """The run id of the server that answered last; empty before the first answer, or if the server hides it."""
        self.upsets = 0
        """How many times the server was replaced, or its clock set."""
        self._ahead: Ahead | None = None
        self._was_away_at = float("-inf")

    @property
    def ahead_seconds(self) -> float | None:
        """The seconds to add to `time.monotonic` for Redis's time. Never too many; None if unknown."""
        return self._ahead.least if self._ahead is not None else None

    def note_away(self) -> None:
        """Note that Redis does not answer."""
        self._was_away_at = time.monotonic()

    def note_held_up(self, asked_at: float) -> None:
        """Note an answer to a question of `asked_at`, by `time.monotonic`. A late answer counts as away."""
        if time.monotonic() - asked_at > _HELD_UP_SECONDS:
            self.note_away()

    def note_answer(self, server: bytes, clock: tuple[int, int], asked_at: float) -> None:
        """Note that this server has answered, and read its clock at these seconds and microseconds."""
        if self.server not in (b"", server):
            self._note_upset()
        self.server = server
        self.note_clock(clock, asked_at)

    async def set_clock(self, redis: Redis) -> None:
        """Ask Redis for its clock. Raises what `send_together` raises."""
        asked_at = time.monotonic()
        (answer,) = await send_together(redis, [("TIME",)])
        if isinstance(answer, Exception):
            raise answer
        self.note_clock(answer, asked_at)

    def note_clock(self, clock: tuple[int, int], asked_at: float) -> None:
        """Note that Redis read its clock, at these seconds and microseconds, between `asked_at` and now."""
        theirs, now = int(clock[0]) + int(clock[1]) / 1e6, time.monotonic()
        seen, known = Ahead(theirs - now, theirs - asked_at), self._ahead
        jumped = known is not None and (
            seen.least > known.most + _JUMP_SECONDS or seen.most < known.least - _JUMP_SECONDS
        )
        if jumped:
            self._note_upset()
        if known is None or jumped or seen.most - seen.least < max(_EXACT_SECONDS, known.most - known.least):
            self._ahead = seen

    def was_away_within(self, seconds: float) -> bool:
        """Return whether Redis was away at any time within the last so many seconds."""
        return time.monotonic() - self._was_away_at < seconds

    def _note_upset(self) -> None:
        self.upsets += 1
        self.note_away()
