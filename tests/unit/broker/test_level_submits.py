"""Submits of a gateway with levels of its own: how long each waits, and what they do for the levels in force."""

from typing import Any

import pytest

from fast_priority.broker import keys
from fast_priority.broker.consumer import Consumer
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer import Submitter
from fast_priority.errors import WaitedTooLong
from fast_priority.scheduling.level_table import FixedTable, LevelLimits, LevelTable
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all
from tests.unit.broker_rig import Rig, payloads, until

NORMAL = Priority("normal")
LEVELS = (Priority.HIGH, NORMAL, Priority.LOW)
TABLE = LevelTable(LEVELS, {"high": LevelLimits(9, 100), "normal": LevelLimits(9, 500)}, LevelLimits(9, 50))


async def begun(levels: LevelsInForce) -> Submitter:
    """Return a gateway whose levels are in force, and that shows no sign of life but by its submits."""
    submitter = await Submitter(Settings.load(), levels=levels).__aenter__()
    await until("its levels are in force", lambda: levels.are_held)
    assert submitter._beating is not None
    await end_all([submitter._beating])
    return submitter


@pytest.fixture
async def submitter(rig: Rig) -> Any:
    submitter = await begun(LevelsInForce(FixedTable(TABLE)))
    yield submitter
    await rig.let_go()
    await submitter.__aexit__()


async def test_a_request_waits_as_long_as_its_level_allows(rig: Rig, submitter: Submitter) -> None:
    """A job and its queue live as long as the TTL of the level."""
    for level, seconds in ((Priority.HIGH, 100), (NORMAL, 500), (Priority.LOW, 50)):
        await rig.queue(submitter, level)
        (job_id,) = rig.ids(level)
        assert seconds < rig.redis.ttl(keys.job(job_id)) + 1 <= seconds + 2
        assert rig.redis.hget(keys.job(job_id), "ttl") == b"%d" % seconds
        assert seconds + 50 < rig.redis.ttl(keys.queue(level)) <= seconds + 60


async def test_its_level_ends_the_wait(rig: Rig) -> None:
    """A request that nobody takes is answered at the end of its level's TTL, which the error names."""
    short = LevelTable(LEVELS, {"normal": LevelLimits(9, 1)}, LevelLimits(9, 500))
    submitter = await begun(LevelsInForce(FixedTable(short)))
    try:
        patient, asking = await rig.queue(submitter, Priority.HIGH), await rig.queue(submitter, NORMAL)
        await until("it is over", asking.done)
        assert isinstance(error := asking.exception(), WaitedTooLong)
        assert "within 1 s" in str(error)
        assert not patient.done()
    finally:
        await rig.let_go()
        await submitter.__aexit__()


async def test_the_life_of_a_queue_is_only_lengthened(rig: Rig, submitter: Submitter) -> None:
    """A submit of a gateway with a shorter TTL takes no time from what waits longer on the queue."""
    await rig.queue(submitter, NORMAL)
    shorter = TABLE._replace(limits={"normal": LevelLimits(9, 5)})
    other = await begun(LevelsInForce(FixedTable(shorter)))
    await rig.queue(other, NORMAL)
    assert rig.redis.ttl(keys.queue(NORMAL)) > 500
    await rig.let_go()
    await other.__aexit__()


async def test_a_submit_renews_the_levels(rig: Rig, submitter: Submitter) -> None:
    """Levels last for 15 s from each submit, and a submit writes them where Redis has lost them."""
    rig.redis.pexpire(keys.LEVELS, 1000)
    await rig.queue(submitter, NORMAL)
    assert rig.redis.pttl(keys.LEVELS) > 1000
    rig.redis.delete(keys.LEVELS)
    await rig.queue(submitter, Priority.LOW)
    assert rig.redis.hget(keys.LEVELS, "levels") == b"high normal low"
    assert 1000 < rig.redis.pttl(keys.LEVELS) <= 15_000


async def test_a_submit_keeps_no_levels_of_others(rig: Rig, submitter: Submitter) -> None:
    """A gateway that is not ready still queues, at levels in force, but does not let those outlast their gateways."""
    other = Submitter(Settings.load())
    async with other:
        await until("it finds others", lambda: other.levels.problem is not None)
        assert other._beating is not None
        await end_all([other._beating])
        rig.redis.pexpire(keys.LEVELS, 1000)
        await rig.queue(other, Priority.LOW)
        assert rig.redis.pttl(keys.LEVELS) <= 1000
        rig.redis.delete(keys.LEVELS)
        await rig.queue(other, Priority.LOW)
        assert not rig.redis.exists(keys.LEVELS)
        await rig.let_go()


async def test_a_level_that_was_removed_meanwhile_is_served(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A request of a gateway that does not know yet that its level was removed is claimed in the place that it had."""
    rig.redis.hset(keys.LEVELS, mapping={"levels": "high low", "served": "high low", "change": 1})
    for level in reversed(LEVELS):
        await rig.queue(submitter, level, level.encode())
    assert rig.redis.hget(keys.LEVELS, "served") == b"high normal low"
    assert payloads((await claimer.publish_and_claim([], 3)).claims) == [b"high", b"normal", b"low"]
