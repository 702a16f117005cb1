"""The state of the queues, as health shows it and as a refused client learns when to try again."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from rq import Queue

from fast_priority.broker import keys, monitor
from fast_priority.broker.connection import Command, send_together
from fast_priority.broker.consumer import Consumer, Leases
from fast_priority.broker.monitor import QueueMonitor, QueueView
from fast_priority.broker.other_versions import encode_warnings
from fast_priority.broker.producer import Submitter
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig, until


@pytest.fixture
async def queues(rig: Rig) -> AsyncIterator[QueueMonitor]:
    """A monitor that looks only when it is asked."""
    queues = QueueMonitor(Settings.load())
    yield queues
    await queues.__aexit__()


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which a test sets."""
    now = [100.0]
    monkeypatch.setattr("fast_priority.broker.monitor.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each look of a monitor at the queues."""
    trips: list[object] = []

    async def counted(redis: Redis, commands: list[Command]) -> list[object]:
        if commands[0][0] == "LLEN":
            trips.append(commands)
        await asyncio.sleep(0)  # a real Redis lets others run meanwhile; the fake one does not with each Python
        return await send_together(redis, commands)

    monkeypatch.setattr(monitor, "send_together", counted)
    return trips


async def seen(queues: QueueMonitor) -> QueueView:
    view = await queues.view()
    assert view is not None
    return view


def note_ended(rig: Rig, worker: str, count: int) -> None:
    """Note in Redis, as a worker does, how many requests it has ended in its life."""
    key = keys.WORKER_PREFIX + worker
    rig.redis.hset(key, "successful_job_count", count)
    for priority in DEFAULT_LEVELS:
        rig.redis.sadd(keys.workers_of(priority.value), key)


async def test_nothing(queues: QueueMonitor) -> None:
    """An empty Redis shows empty queues and no workers."""
    view = await seen(queues)
    assert view[:6] == ({Priority.HIGH: 0, Priority.LOW: 0}, 0, 0, 0, False, ())
    assert (view.refusal, queues.problem) == (None, None)


async def test_waiting_and_started(rig: Rig, submitter: Submitter, claimer: Consumer, queues: QueueMonitor) -> None:
    """Waiting requests are counted by priority, and apart from those in flight."""
    for priority in (Priority.HIGH, Priority.HIGH, Priority.LOW):
        await rig.queue(submitter, priority)
    await claimer.publish_and_claim([], 1)
    view = await seen(queues)
    assert (view.waiting, view.started) == ({Priority.HIGH: 1, Priority.LOW: 1}, 1)
    assert view.in_flight == {Priority.HIGH: 1, Priority.LOW: 0}


async def test_workers_and_slots(rig: Rig, leases: Leases, queues: QueueMonitor) -> None:
    """A PriorityWorker counts with its slots, a stock rq worker with one."""
    await leases.renew({"birth": "now", "slots": 3}, [])
    rig.redis.hset("rq:worker:stock", "birth", "now")
    rig.redis.sadd(keys.workers_of("low"), "rq:worker:stock")
    view = await seen(queues)
    assert (view.workers, view.slots) == (2, 4)


async def test_a_level_that_no_worker_serves(rig: Rig, submitter: Submitter, queues: QueueMonitor) -> None:
    """A request at a level that the only live worker does not serve is warned of, until another worker comes."""
    await rig.queue(submitter, Priority.HIGH)
    for level, name in (("low", "one"), ("high", "two")):
        rig.redis.hset(f"rq:worker:{name}", mapping={"birth": "now", "slots": 1})
        rig.redis.sadd(keys.workers_of(level), f"rq:worker:{name}")
        warned = [text for text in (await seen(queues)).warnings if "level high, which no live worker serves" in text]
        assert len(warned) == (level == "low")


@pytest.mark.parametrize("end", ["its record has expired", "it has ended"])
async def test_dead_worker(rig: Rig, leases: Leases, queues: QueueMonitor, end: str) -> None:
    """A worker whose record has expired, or that has ended, is not counted."""
    await leases.renew({"birth": "now", "slots": 3}, [])
    if end == "its record has expired":
        rig.redis.delete(f"{keys.WORKER_PREFIX}worker-1")
    else:
        rig.redis.hset(f"{keys.WORKER_PREFIX}worker-1", "death", "now")
    view = await seen(queues)
    assert (view.workers, view.slots) == (0, 0)


async def test_suspended(rig: Rig, queues: QueueMonitor) -> None:
    """The view shows a suspension."""
    rig.redis.set(keys.SUSPENDED, "1")
    assert (await seen(queues)).suspended


async def test_redis_away(rig: Rig, queues: QueueMonitor) -> None:
    """Without Redis there is no view, and no error."""
    rig.server.connected = False
    assert await queues.view() is None


async def test_a_key_of_the_wrong_type(rig: Rig, queues: QueueMonitor) -> None:
    """A queue that is not a list leaves no view, and raises no error."""
    rig.redis.set(keys.queue(Priority.LOW), "not a list")
    assert await queues.view() is None


async def test_a_view_is_new(rig: Rig, submitter: Submitter, queues: QueueMonitor) -> None:
    """A view without an age is never older than the question."""
    await seen(queues)
    await rig.queue(submitter, Priority.HIGH)
    assert (await seen(queues)).waiting[Priority.HIGH] == 1


async def test_a_view_may_be_old(
    rig: Rig, submitter: Submitter, queues: QueueMonitor, seconds: list[float], looks: list[object]
) -> None:
    """A view that is young enough is returned without a look at Redis; an older one is not."""
    await queues.view()
    seconds[0] += 1
    await queues.view(max_age_seconds=2)
    assert len(looks) == 1
    seconds[0] += 2
    await queues.view(max_age_seconds=2)
    assert len(looks) == 2


async def test_the_last_view_asks_nothing(queues: QueueMonitor, looks: list[object], rig: Rig) -> None:
    """It is what the last look has found; there is none before the first look, and while Redis is away."""
    views = [queues.last_view]
    asked = await queues.view()
    views.append(queues.last_view)
    assert len(looks) == 1
    rig.server.connected = False
    await queues.view()
    views.append(queues.last_view)
    assert views == [None, asked, None]
    assert asked is not None


async def test_how_long_the_oldest_has_waited(rig: Rig, submitter: Submitter, queues: QueueMonitor) -> None:
    """It is known for each queue, and is 0 for an empty one."""
    await rig.queue(submitter, Priority.LOW)
    (job_id,) = rig.ids(Priority.LOW)
    rig.redis.hset(keys.job(job_id), "enqueued_at", "2020-01-01T00:00:00.000000Z")
    ages = (await seen(queues)).oldest_seconds
    assert ages[Priority.HIGH] == 0
    assert ages[Priority.LOW] > 1e8


async def test_questions_at_once_share_a_look(queues: QueueMonitor, looks: list[object]) -> None:
    """However many ask while a look is under way, at most one more look answers them all."""
    views = await asyncio.gather(*(queues.view() for _ in range(20)))
    assert len({id(view) for view in views}) <= 2
    assert len(looks) <= 2


@pytest.mark.parametrize("written", ["9" * 5000, "many", "-1", ""])
async def test_a_record_with_a_strange_number(rig: Rig, queues: QueueMonitor, written: str) -> None:
    """A number of slots that no worker has written counts as one slot, and ends no look."""
    rig.redis.hset("rq:worker:strange", mapping={"birth": "now", "slots": written})
    rig.redis.sadd(keys.workers_of("low"), "rq:worker:strange")
    view = await seen(queues)
    assert (view.workers, view.slots) == (1, 1)


async def test_a_register_of_the_wrong_type(rig: Rig, queues: QueueMonitor) -> None:
    """A key of the wrong type in place of rq's register of queues does not mean that Redis refuses writes."""
    rig.redis.set(keys.QUEUES, "a string")
    await seen(queues)
    assert queues.problem is None


async def test_away(rig: Rig, queues: QueueMonitor) -> None:
    """Without an answer there is no view, and the problem is that Redis does not answer."""
    rig.server.connected = False
    assert await queues.view() is None
    assert queues.problem == "Redis does not answer"
    rig.server.connected = True
    await seen(queues)
    assert queues.problem is None


async def test_retry_after_follows_the_queues_ahead(
    rig: Rig, submitter: Submitter, queues: QueueMonitor, seconds: list[float]
) -> None:
    """It is what waits ahead, over what all workers end in a second. Only high requests are ahead of high ones."""
    for priority, count in ((Priority.HIGH, 5), (Priority.LOW, 15)):
        for _ in range(count):
            await rig.queue(submitter, priority)
    note_ended(rig, "a", 100)
    note_ended(rig, "b", 100)
    await queues._look_and_note()
    seconds[0] += 10
    note_ended(rig, "a", 106)
    note_ended(rig, "b", 104)
    await queues._look_and_note()
    low = {queues.retry_after_seconds(Priority.LOW) for _ in range(300)}
    high = {queues.retry_after_seconds(Priority.HIGH) for _ in range(300)}
    assert low <= set(range(16, 25))
    assert high <= set(range(4, 7))
    assert len(low) > 3
    assert {queues.retry_after_seconds() for _ in range(300)} <= set(range(16, 25))


async def test_retry_after_costs_no_look(queues: QueueMonitor, looks: list[object]) -> None:
    """A refused client learns when to try again without a look at Redis."""
    queues.retry_after_seconds()
    assert looks == []


async def test_retry_after_without_workers_is_long(queues: QueueMonitor) -> None:
    """Where no request is served, clients stay away for most of a minute."""
    assert 40 <= queues.retry_after_seconds() <= 60


async def test_it_looks_by_itself(rig: Rig, submitter: Submitter) -> None:
    """Inside its block a monitor looks without a question."""
    for _ in range(2):
        await rig.queue(submitter, Priority.HIGH)
    async with QueueMonitor(Settings.load()) as queues:
        await until("it has looked", lambda: queues._last is not None)
        assert queues._last is not None
        assert queues._last.view.waiting[Priority.HIGH] == 2


async def test_requests_for_a_newer_worker(
    rig: Rig, submitter: Submitter, leases: Leases, queues: QueueMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    """The view names requests that no worker of the deployment knows, and the log has that once."""
    await leases.renew({"birth": "now", "slots": 3, "wire": WIRE_VERSION}, [])
    for number in range(2):
        await rig.queue(submitter, Priority.LOW)
        rig.redis.hset(keys.job(rig.ids(Priority.LOW)[number]), "wire", WIRE_VERSION + 1)
        (warning,) = (await seen(queues)).warnings
    assert warning.startswith(f"2 requests wait for a newer worker: wire version {WIRE_VERSION + 1}")
    assert len([line for line in caplog.messages if "newer worker" in line]) == 1


@pytest.mark.parametrize("priority", DEFAULT_LEVELS)
async def test_a_job_of_1x(
    rig: Rig, queues: QueueMonitor, priority: Priority, caplog: pytest.LogCaptureFixture
) -> None:
    """The view names a job of fast-priority 1.x, and the log has that once."""
    for _ in range(2):
        Queue(priority.value, connection=rig.redis).enqueue("fast_priority.utils.run_request", kwargs={"method": "GET"})
        (warning,) = (await seen(queues)).warnings
    assert f"a job of fast-priority 1.x is on queue {priority.value}" in warning
    assert len([line for line in caplog.messages if "1.x" in line]) == 1


async def test_a_stock_worker_and_what_a_worker_warns_of(rig: Rig, leases: Leases, queues: QueueMonitor) -> None:
    """The view names a stock worker that has run none of our jobs, and has the warnings of workers."""
    await leases.renew({"birth": "now", "slots": 3, "wire": 1, "warnings": encode_warnings(["it rains"])}, [])
    rig.redis.hset("rq:worker:stock", mapping={"birth": "now", "version": "2.1.0"})
    rig.redis.sadd(keys.workers_of("low"), "rq:worker:stock")
    stock, of_worker = (await seen(queues)).warnings
    assert stock.startswith("worker stock is rq's own (rq 2.1.0)")
    assert of_worker == "it rains (said by worker worker-1)"


@pytest.mark.parametrize(
    ("record", "workers"), [({"failed_job_count": 2}, 0), ({"failed_job_count": 2, "wire": 1}, 1), ({}, 1)]
)
async def test_a_worker_that_fails_our_requests_is_not_counted(
    rig: Rig, queues: QueueMonitor, record: dict[str, int], workers: int
) -> None:
    """A stock worker whose jobs fail, and that has run none of ours, makes no gateway ready."""
    rig.redis.hset("rq:worker:stock", mapping={"birth": "now", **record})
    rig.redis.sadd(keys.workers_of("low"), "rq:worker:stock")
    view = await seen(queues)
    assert (view.workers, view.slots, view.foreign_workers) == (workers, workers, 1 - workers)


async def test_waiting_without_a_worker_is_logged(
    rig: Rig, submitter: Submitter, leases: Leases, queues: QueueMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests that wait while no worker is alive are in the log once, and so is the end of it."""
    caplog.set_level("INFO")
    await seen(queues)
    assert caplog.messages == [line for line in caplog.messages if "no worker" not in line]
    await rig.queue(submitter, Priority.LOW)
    await seen(queues)
    await seen(queues)
    await leases.renew({"birth": "now", "slots": 1}, [])
    await seen(queues)
    began, ended = [line for line in caplog.messages if line.startswith("no worker is alive")]
    assert began == "no worker is alive: 1 waiting until one starts, or their TTL ends"
    assert "over" in ended


async def test_a_job_of_the_wrong_type(rig: Rig, queues: QueueMonitor) -> None:
    """A job that is not a hash leaves the view as it is."""
    rig.redis.rpush(keys.queue(Priority.LOW), "broken", "gone")
    rig.redis.set(keys.job("broken"), "not a hash")
    view = await seen(queues)
    assert (view.waiting[Priority.LOW], view.warnings) == (2, ())
