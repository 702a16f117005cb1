"""The clock of Redis, as far as it can be known from here."""

import time

from redis.asyncio import Redis

_CLOSE_SECONDS = 0.2  # a look that took longer says too little about the moment at which it was taken


class RedisClock:
    """Tells Redis's time without asking each time. Hosts' clocks need not agree."""

    def __init__(self) -> None:
        self._ahead_seconds: float | None = None

    async def set_by(self, redis: Redis) -> None:
        """Compare with Redis's clock. Raises what redis-py raises."""
        asked = time.monotonic()
        seconds, microseconds = await redis.time()
        if time.monotonic() - asked < _CLOSE_SECONDS or self._ahead_seconds is None:
            self._ahead_seconds = seconds + microseconds / 1e6 - asked

    async def now(self, redis: Redis) -> float:
        """Give Redis's time in seconds since the epoch; asks only if it has never been asked."""
        if self._ahead_seconds is None:
            await self.set_by(redis)
        return time.monotonic() + (self._ahead_seconds or 0.0)
