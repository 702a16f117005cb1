"""What a gateway knows of Redis's clock."""

from typing import cast

import pytest
from redis.asyncio import Redis

from fast_priority.broker.clock import RedisClock


class SlowRedis:
    """Tells the time in the middle of a call that takes `call_seconds`; its clock is a thousand seconds ahead."""

    def __init__(self, call_seconds: float) -> None:
        self.monotonic = 0.0
        self.call_seconds = call_seconds

    async def time(self) -> tuple[int, int]:
        self.monotonic += self.call_seconds / 2
        read = 1000 + self.monotonic
        self.monotonic += self.call_seconds / 2
        return int(read), round(read % 1 * 1e6)


@pytest.mark.parametrize("call_seconds", [0.0, 0.1, 0.5], ids=["at once", "busy", "slow"])
async def test_never_later_than_redis(monkeypatch: pytest.MonkeyPatch, call_seconds: float) -> None:
    """The time told is never after Redis's own, and behind it by at most what the look took."""
    redis = SlowRedis(call_seconds)
    monkeypatch.setattr("fast_priority.broker.clock.time.monotonic", lambda: redis.monotonic)
    ahead = await RedisClock().ahead(cast("Redis", redis))
    assert 1000 - call_seconds - 1e-5 <= ahead <= 1000 + 1e-5
