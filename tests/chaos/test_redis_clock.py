"""The clock of a Redis server, as scenarios set it: only the wall clock jumps."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.chaos.redis_clock import RedisClock, clock_unavailable_reason
from tests.chaos.redis_server import RedisServer

pytestmark = pytest.mark.skipif(bool(clock_unavailable_reason()), reason=clock_unavailable_reason())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path, RedisClock(tmp_path))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    with Redis(port=server.port) as client:
        yield client


@pytest.mark.parametrize("seconds", [2, 3600, -5])
def test_the_wall_clock_jumps(server: RedisServer, redis: Redis, seconds: int) -> None:
    """TIME differs from this machine's clock by as much as was set, from the next command on."""
    assert server.clock is not None
    server.clock.jump(seconds)
    before = time.time()
    redis_seconds, _ = redis.time()
    assert before - 1 <= redis_seconds - seconds <= time.time() + 1


def test_a_lease_ends_early_when_the_clock_jumps_past_its_end(server: RedisServer, redis: Redis) -> None:
    """A key that expires in 3.5 s is gone after a jump of 5 s: keys expire by the wall clock."""
    assert server.clock is not None
    redis.set("lease", "", px=3500)
    server.clock.jump(5)
    assert not redis.exists("lease")


def test_a_restart_keeps_the_clock(server: RedisServer, redis: Redis) -> None:
    """A server that is killed and restarted keeps the time that was set."""
    assert server.clock is not None
    server.clock.jump(3600)
    server.kill()
    server.start()
    assert redis.time()[0] - time.time() > 3000


def test_a_blocking_command_still_times_out(redis: Redis) -> None:
    """BLPOP with a timeout of one second returns empty: blocking commands work with the clock."""
    assert redis.blpop(["nothing"], timeout=1) is None
