"""What can be seen of the queues from outside."""

from collections.abc import AsyncIterator

import pytest

from fast_priority.broker import keys
from fast_priority.broker.consumer import Consumer, Leases
from fast_priority.broker.monitor import Observer
from fast_priority.broker.producer import Submitter
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig


@pytest.fixture
async def observer(rig: Rig) -> AsyncIterator[Observer]:
    observer = Observer(Settings.load())
    yield observer
    await observer.close()


async def test_nothing(observer: Observer) -> None:
    """An empty Redis shows empty queues and nobody at work."""
    assert await observer.look() == ({Priority.HIGH: 0, Priority.LOW: 0}, 0, 0, 0, False)


async def test_waiting_and_started(rig: Rig, submitter: Submitter, claimer: Consumer, observer: Observer) -> None:
    """What waits is counted by priority, and what is in flight apart from it."""
    for priority in (Priority.HIGH, Priority.HIGH, Priority.LOW):
        await rig.queue(submitter, priority)
    await claimer.publish_and_claim([], 1)
    view = await observer.look()
    assert view is not None
    assert (view.waiting, view.started) == ({Priority.HIGH: 1, Priority.LOW: 1}, 1)


async def test_workers_and_slots(rig: Rig, leases: Leases, observer: Observer) -> None:
    """A worker of ours counts with its slots, a stock rq worker with one."""
    await leases.renew({"birth": "now", "slots": 3}, [])
    rig.redis.hset("rq:worker:stock", "birth", "now")
    rig.redis.sadd(keys.workers_of("low"), "rq:worker:stock")
    view = await observer.look()
    assert view is not None
    assert (view.workers, view.slots) == (2, 4)


@pytest.mark.parametrize("end", ["expired", "said goodbye"])
async def test_dead_worker(rig: Rig, leases: Leases, observer: Observer, end: str) -> None:
    """A worker whose record expired, or that said goodbye, is not counted."""
    await leases.renew({"birth": "now", "slots": 3}, [])
    if end == "expired":
        rig.redis.delete(f"{keys.WORKER_PREFIX}worker-1")
    else:
        rig.redis.hset(f"{keys.WORKER_PREFIX}worker-1", "death", "now")
    view = await observer.look()
    assert view is not None
    assert (view.workers, view.slots) == (0, 0)


async def test_suspended(rig: Rig, observer: Observer) -> None:
    """A suspension shows."""
    rig.redis.set(keys.SUSPENDED, "1")
    view = await observer.look()
    assert view is not None
    assert view.suspended


async def test_redis_away(rig: Rig, observer: Observer) -> None:
    """Without Redis there is nothing to see, and no error."""
    rig.server.connected = False
    assert await observer.look() is None
