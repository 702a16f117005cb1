"""The broker with three levels of other names: nothing in it knows how many levels there are, or their names.

Workers know only high and low, and learn the others from Redis.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fast_priority.broker import keys
from fast_priority.broker.consumer import Consumer, Leases, OutgoingPart
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.monitor import QueueMonitor
from fast_priority.broker.producer import Submitter
from fast_priority.errors import QueueFull, RequestLost
from fast_priority.scheduling.level_table import FixedTable, LevelLimits, LevelTable
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import HELLO, PATIENCE_SECONDS, Rig, payloads, until

URGENT, NORMAL, LATER = LEVELS = tuple(map(Priority, ("urgent", "normal", "later")))
LIMITS = {"urgent": 3, "normal": 2, "later": 3}
TABLE = LevelTable(LEVELS, {name: LevelLimits(most, 30) for name, most in LIMITS.items()}, LevelLimits(9, 30))
each_level = pytest.mark.parametrize("level", LEVELS)


@pytest.fixture
async def submitter(rig: Rig) -> AsyncIterator[Submitter]:
    async with Submitter(Settings.load(), levels=LevelsInForce(FixedTable(TABLE))) as submitter:
        await until("its levels are in force", lambda: submitter.levels.are_held)
        yield submitter
        await rig.let_go()


@pytest.fixture
async def monitor(rig: Rig) -> AsyncIterator[QueueMonitor]:
    monitor = QueueMonitor(Settings.load(), lanes=KnownLanes(LEVELS))
    yield monitor
    await monitor.__aexit__()


async def test_claims_follow_the_precedence(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """Requests are claimed level by level, and the oldest first within a level."""
    for level in (LATER, NORMAL, URGENT, LATER, NORMAL, URGENT):
        await rig.queue(submitter, level, b"%s %d" % (level.encode(), rig.waiting(level)))
    first, second = await claimer.publish_and_claim([], 3), await claimer.publish_and_claim([], 3)
    assert payloads(first.claims) == [b"urgent 0", b"urgent 1", b"normal 0"]
    assert payloads(second.claims) == [b"normal 1", b"later 0", b"later 1"]


@each_level
async def test_a_request_is_answered(rig: Rig, submitter: Submitter, claimer: Consumer, level: Priority) -> None:
    """A request of any level is claimed while its worker waits for work, answered, and nothing of it is left."""
    waiting = asyncio.create_task(claimer.wait_and_claim(1))
    asking = await rig.ask_idempotently(submitter, level)
    async with asyncio.timeout(PATIENCE_SECONDS):
        (claim,) = (await waiting).claims
        await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
        assert await asking == HELLO
    assert (claim.queue_name, rig.lease(claim), rig.jobs()) == (level.value, None, [])


@each_level
async def test_a_full_queue_refuses(rig: Rig, submitter: Submitter, level: Priority) -> None:
    """Each level has a limit of its own: only a request for the full queue is refused."""
    for _ in range(LIMITS[level]):
        await rig.queue(submitter, level)
    refused = rig.ask(submitter, level)
    await until("it is refused", refused.done)
    assert isinstance(refused.exception(), QueueFull)
    for other in LEVELS:
        if other is not level:
            await rig.queue(submitter, other)


@each_level
async def test_a_request_is_withdrawn(rig: Rig, submitter: Submitter, level: Priority) -> None:
    """A client that leaves takes its request from the queue of its level, and from no other."""
    asking = {each: await rig.queue(submitter, each) for each in LEVELS}
    asking[level].cancel()
    await until("it is withdrawn", lambda: not rig.waiting(level))
    assert [rig.waiting(each) for each in LEVELS if each is not level] == [1, 1]


@each_level
async def test_a_lease_is_renewed(
    rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases, level: Priority
) -> None:
    """The lease of a request of any level is renewed, and its worker is registered for every queue."""
    await rig.queue(submitter, level)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    assert (await leases.renew({"birth": "now"}, [claim])).held == [claim]
    registered = [rig.redis.smembers(keys.workers_of(each.value)) for each in LEVELS]
    assert registered == [{b"rq:worker:worker-1"}] * 3


@each_level
async def test_a_lost_request_is_noticed(rig: Rig, submitter: Submitter, claimer: Consumer, level: Priority) -> None:
    """A request of any level whose worker has died fails."""
    asking = await rig.queue(submitter, level)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    rig.redis.delete(keys.job(claim.job_id))
    for _ in range(2):
        await submitter._inbox._watch([claim.job_id])
    await until("it has failed", asking.done)
    assert isinstance(asking.exception(), RequestLost)


async def test_the_monitor_shows_each_level(
    rig: Rig, submitter: Submitter, claimer: Consumer, monitor: QueueMonitor
) -> None:
    """The view counts the waiting requests of each level, and all that are in flight."""
    for level in (URGENT, NORMAL, NORMAL, LATER, LATER, LATER):
        await rig.queue(submitter, level)
    await claimer.publish_and_claim([], 2)
    view = await monitor.view()
    assert view is not None
    assert (view.waiting, view.started) == ({URGENT: 0, NORMAL: 1, LATER: 3}, 2)


async def test_retry_after_counts_the_levels_ahead(
    rig: Rig, submitter: Submitter, monitor: QueueMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused client waits for what is queued on its own level and on those before it."""
    monkeypatch.setattr("fast_priority.broker.monitor.random.uniform", lambda *_: 1.0)
    monkeypatch.setattr(monitor._rate, "per_second", lambda: 0.1)
    for level in (URGENT, NORMAL, NORMAL, LATER, LATER):
        await rig.queue(submitter, level)
    await monitor.view()
    assert [monitor.retry_after_seconds(level) for level in LEVELS] == [10, 30, 50]
    assert monitor.retry_after_seconds() == 50


async def test_a_gateway_registers_every_queue(rig: Rig, submitter: Submitter) -> None:
    """rq's tools find a queue for each level."""
    await until("the queues are registered", lambda: bool(rig.redis.exists(keys.QUEUES)))
    members: set[Any] = rig.redis.smembers(keys.QUEUES)
    assert members == {b"rq:queue:urgent", b"rq:queue:normal", b"rq:queue:later"}
