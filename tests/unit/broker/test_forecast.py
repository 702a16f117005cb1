"""When a refused client should try again, by what is seen in Redis."""

import pytest

from fast_priority.broker import keys
from fast_priority.broker.forecast import Forecast
from fast_priority.broker.producer import Submitter
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which passes when a test says so."""
    now = [100.0]
    monkeypatch.setattr("fast_priority.broker.forecast.time.monotonic", lambda: now[0])
    return now


def ended(rig: Rig, worker: str, count: int) -> None:
    key = keys.WORKER_PREFIX + worker
    rig.redis.hset(key, "successful_job_count", count)
    for priority in Priority:
        rig.redis.sadd(keys.workers_of(priority.value), key)


async def test_it_is_as_long_as_what_is_ahead_takes(rig: Rig, submitter: Submitter, seconds: list[float]) -> None:
    """What waits, over what all workers end in a second; high ones have only high ones ahead of them."""
    forecast = Forecast(Settings.load())
    for priority, count in ((Priority.HIGH, 5), (Priority.LOW, 15)):
        for _ in range(count):
            await rig.queue(submitter, priority)
    ended(rig, "a", 100)
    ended(rig, "b", 100)
    await forecast.look()
    seconds[0] += 10
    ended(rig, "a", 106)
    ended(rig, "b", 104)
    await forecast.look()
    low = {forecast.retry_after_seconds(Priority.LOW) for _ in range(300)}
    high = {forecast.retry_after_seconds(Priority.HIGH) for _ in range(300)}
    assert low <= set(range(16, 25))
    assert high <= set(range(4, 7))
    assert len(low) > 3


async def test_without_workers_it_is_long(rig: Rig) -> None:
    """Where nothing is served, clients are told to stay away for most of a minute."""
    forecast = Forecast(Settings.load())
    assert 40 <= forecast.retry_after_seconds() <= 60
