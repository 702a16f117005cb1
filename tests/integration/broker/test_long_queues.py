"""Queues with many ids: a withdrawal does not hold Redis up, and what is withdrawn is not executed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import Redis

from fast_priority.broker import keys
from fast_priority.broker.connection import connect, redis_options
from fast_priority.broker.consumer import Consumer
from fast_priority.broker.producer import Submitter
from fast_priority.broker.scripts import WithdrawCall, WithdrawnRequest
from fast_priority.errors import QueueFull
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.attempts import ask
from tests.unit.broker_rig import until

_QUEUE = keys.queue(Priority.LOW)
_LENGTH = 25_000
_IDS = [f"{number:032x}".encode() for number in range(_LENGTH)]


class LongQueue:
    """A real Redis with many ids on the low queue, of which only some have a job."""

    def __init__(self, redis: Redis, redis_port: int) -> None:
        self.redis: Any = redis
        self.settings = Settings.load(redis_host="127.0.0.1", redis_port=redis_port, max_queued_low=_LENGTH)
        self._client = connect(redis_options(self.settings))

    def fill(self, count: int = _LENGTH) -> None:
        self.redis.rpush(_QUEUE, *_IDS[:count])

    def add_job(self, index: int) -> None:
        self.redis.hset(keys.job(_IDS[index].decode()), mapping={"status": "queued", "data": b"call"})

    async def withdraw(self, *indexes: int) -> list[bytes]:
        """Withdraw these, and return the outcomes."""
        requests = [WithdrawnRequest(_IDS[index].decode(), "low", b"") for index in indexes]
        lanes = keys.LANES
        call = WithdrawCall(queue_keys=lanes.queues, lanes=lanes.names, requests=requests)
        outcomes: list[bytes] = await call.run(self._client)
        return outcomes

    def ids(self) -> list[bytes]:
        found: list[bytes] = self.redis.lrange(_QUEUE, 0, -1)
        return found

    async def aclose(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def queue(redis: Redis, redis_port: int) -> AsyncIterator[LongQueue]:
    queue = LongQueue(redis, redis_port)
    yield queue
    await queue.aclose()


@pytest.mark.parametrize("index", [0, 150, 9_999, _LENGTH - 10_000, _LENGTH - 150, _LENGTH - 1])
async def test_an_id_near_an_end_is_removed(queue: LongQueue, index: int) -> None:
    """Of a long queue, an id among the 10,000 first or last is removed with its job, and nothing else."""
    queue.fill()
    queue.add_job(index)
    assert await queue.withdraw(index) == [b"withdrawn"]
    assert queue.ids() == [*_IDS[:index], *_IDS[index + 1 :]]
    assert not queue.redis.exists(keys.job(_IDS[index].decode()))


async def test_an_id_far_from_both_ends_stays(queue: LongQueue) -> None:
    """The search for an id has a bound: the job of one in the middle of a long queue goes, and its id stays."""
    queue.fill()
    queue.add_job(_LENGTH // 2)
    assert await queue.withdraw(_LENGTH // 2) == [b"withdrawn"]
    assert len(queue.ids()) == _LENGTH
    assert not queue.redis.exists(keys.job(_IDS[_LENGTH // 2].decode()))


async def test_the_search_for_an_id_without_a_job_is_short(queue: LongQueue) -> None:
    """For a job that is gone, most likely to a worker, only the ends of the queue are looked at."""
    queue.fill(1000)
    assert await queue.withdraw(0, 500, 999) == [b"gone"] * 3
    assert queue.ids() == _IDS[1:999]


async def test_what_was_withdrawn_is_not_executed(queue: LongQueue) -> None:
    """A claim drops ids that stayed on a queue after their request was withdrawn, and takes the next request."""
    queue.fill(3)
    async with Submitter(queue.settings) as gateway:
        waiting = asyncio.create_task(ask(gateway, Priority.LOW, b"call", "GET /"))
        await until("it is queued", lambda: queue.redis.llen(_QUEUE) == 4)
        last = queue.ids()[-1].decode()
        claimer = Consumer(redis_options(queue.settings), "worker")
        claims = (await claimer.publish_and_claim([], 4)).claims
        await claimer.close()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert [claim.job_id for claim in claims] == [last]
    assert queue.ids() == []


async def test_ids_without_a_job_make_room(queue: LongQueue) -> None:
    """A full queue with ids at its head that have no job drops some of them, and takes requests again."""
    queue.fill()
    queue.add_job(2)
    async with Submitter(queue.settings) as gateway:
        waiting = asyncio.create_task(ask(gateway, Priority.LOW, b"call", "GET /"))
        await until("it is queued", lambda: queue.ids()[-1] not in _IDS)
        assert queue.ids()[:-1] == _IDS[2:]
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_request_at_the_head_keeps_a_queue_full(queue: LongQueue) -> None:
    """A request that waits at the head of a full queue is not removed: the next one is refused."""
    queue.fill()
    queue.add_job(0)
    async with Submitter(queue.settings) as gateway:
        with pytest.raises(QueueFull):
            await ask(gateway, Priority.LOW, b"call", "GET /")
    assert queue.ids() == _IDS


async def test_a_queue_of_the_wrong_type_keeps_no_request_alive(queue: LongQueue) -> None:
    """While a queue is not a list, each request of a batch is withdrawn all the same."""
    queue.redis.set(_QUEUE, "not a list")
    queue.add_job(0)
    queue.add_job(1)
    assert await queue.withdraw(0, 1) == [b"withdrawn", b"withdrawn"]
    assert queue.redis.keys(f"{keys.JOB_PREFIX}*") == []
