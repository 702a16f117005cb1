"""The clock of Redis, as far as it can be known from here."""

import time

from redis.asyncio import Redis

_CLOSE_SECONDS = 0.2  # a look that took longer says too little about the moment at which it was taken


class RedisClock:
    """Tells Redis's time without asking each time, and never a later one. Hosts' clocks need not agree.

    It is behind by at most what the last look took, so that a moment which has passed here has passed for Redis.
    """

    def __init__(self) -> None:
        self._ahead_seconds: float | None = None

    async def set_by(self, redis: Redis) -> None:
        """Compare with Redis's clock. Raises what redis-py raises."""
        asked = time.monotonic()
        seconds, microseconds = await redis.time()
        answered = time.monotonic()
        if answered - asked < _CLOSE_SECONDS or self._ahead_seconds is None:
            self._ahead_seconds = seconds + microseconds / 1e6 - answered

    async def ahead(self, redis: Redis) -> float:
        """Give the seconds to add to `time.monotonic` for Redis's time, in seconds since the epoch.

        Asks only if it has never been asked. Raises what redis-py raises.
        """
        if self._ahead_seconds is None:
            await self.set_by(redis)
        return self._ahead_seconds or 0.0
