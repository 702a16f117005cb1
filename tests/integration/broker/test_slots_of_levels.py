"""The slots of a gateway with three levels of other names, on a real Redis."""

import asyncio
from typing import Any

from redis import Redis

from fast_priority.broker import keys
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer import OwnSlot, Submitter
from fast_priority.scheduling.level_table import FixedTable, LevelLimits, LevelTable
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.attempts import ask
from tests.integration.broker.test_lost_answers import finished, until

URGENT, NORMAL, LATER = LEVELS = tuple(map(Priority, ("urgent", "normal", "later")))
TABLE = LevelTable(LEVELS, {}, LevelLimits(3, 30))


async def test_slots_follow_the_precedence(redis: Redis, redis_port: int) -> None:
    """With slots of its own, a gateway starts what waits level by level, also what comes together."""
    started: list[str] = []
    settings = Settings.load(redis_host="127.0.0.1", redis_port=redis_port, slots=1)
    async with Submitter(settings, levels=LevelsInForce(FixedTable(TABLE))) as submitter:

        def send(level: Priority) -> asyncio.Task[Any]:
            asking = ask(submitter, level, on_start=lambda: started.append(level.value))
            return asyncio.create_task(asking)

        first = await finished(send(LATER))
        asking = [send(level) for level in (LATER, NORMAL, URGENT)]
        waiting = [keys.queue(level) for level in LEVELS]
        await until("they wait", lambda: sum(int(redis.llen(key)) for key in waiting) == 3)
        assert isinstance(first, OwnSlot)
        first.close()
        for task in reversed(asking):
            (await finished(task)).close()
    assert started == ["later", "urgent", "normal", "later"]
