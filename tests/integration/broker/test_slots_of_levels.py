"""The slots of a gateway with three levels of other names, on a real Redis."""

import asyncio
from enum import StrEnum
from typing import Any, cast

import pytest
from redis import Redis

from fast_priority.broker import keys
from fast_priority.broker.producer import OwnSlot, Submitter
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.attempts import ask
from tests.integration.broker.test_lost_answers import finished, until


class Level(StrEnum):
    """Three levels, in order of precedence."""

    URGENT = "urgent"
    NORMAL = "normal"
    LATER = "later"


URGENT, NORMAL, LATER = LEVELS = tuple(cast(Priority, level) for level in Level)


class ThreeLevelSettings(Settings):
    """The settings that a third level would add."""

    max_queued_urgent: int = 3
    max_queued_normal: int = 3
    max_queued_later: int = 3


async def test_slots_follow_the_precedence(redis: Redis, redis_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With slots of its own, a gateway starts what waits level by level, also what comes together."""
    monkeypatch.setattr(keys, "LANES", keys.lanes_of(LEVELS))
    started: list[str] = []
    settings = ThreeLevelSettings.load(redis_host="127.0.0.1", redis_port=redis_port, slots=1)
    async with Submitter(settings) as submitter:

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
