"""Keys in Redis that are not what they should be: what is about them is lost, and all else goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import Redis

from fast_priority.broker import keys
from fast_priority.broker.connection import redis_options
from fast_priority.broker.consumer import Claim, Consumer, OutgoingPart
from fast_priority.broker.producer import Submitter, heartbeat
from fast_priority.broker.producer.submitter import Outcome
from fast_priority.errors import BrokerUnavailable
from fast_priority.http.message import Reply
from fast_priority.protocol.frames import Chunk, Head
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import HELLO, until


class Broker:
    """Two gateways and a worker at a real Redis."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self.redis: Any = redis
        self.settings = settings
        self.one, self.other = Submitter(settings), Submitter(settings)
        self.claimer = Consumer(redis_options(settings), "worker")
        self._asking: list[asyncio.Task[Outcome]] = []

    async def start(self, *gateways: Submitter) -> tuple[list["asyncio.Task[Outcome]"], list[Claim]]:
        """Have a request submitted by each gateway, in this order, and all of them claimed."""
        asking = []
        for number, gateway in enumerate(gateways, 1):
            asking.append(asyncio.create_task(gateway.ask(Priority.HIGH, b"call", "GET /")))
            await until("it is queued", lambda number=number: self.waiting() == number)  # type: ignore[misc]
        self._asking += asking
        return asking, (await self.claimer.publish_and_claim([], len(gateways))).claims

    def waiting(self) -> int:
        return int(self.redis.llen(keys.queue(Priority.HIGH)))

    async def let_go(self) -> None:
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def spoil(self, key: str) -> None:
        self.redis.delete(key)
        self.redis.set(key, "not a list")


@pytest.fixture
async def broker(redis: Redis, redis_port: int) -> AsyncIterator[Broker]:
    chosen = {"redis_host": "127.0.0.1", "redis_port": redis_port}
    broker = Broker(redis, Settings.load().model_copy(update=chosen))
    async with broker.one, broker.other:
        yield broker
        await broker.let_go()
    await broker.claimer.close()


@pytest.mark.parametrize("spoilt_at", [0, 1, 2])
async def test_an_inbox_of_the_wrong_type_keeps_nobody_else_waiting(broker: Broker, spoilt_at: int) -> None:
    """Answers said in one turn reach all gateways but the one whose inbox is spoilt, wherever in it that stands."""
    gateways = [broker.other] * 3
    gateways[spoilt_at] = broker.one
    asking, claims = await broker.start(*gateways)
    broker.spoil(keys.inbox(broker.one.gateway_id))
    turn = await broker.claimer.publish_and_claim([OutgoingPart(claim, HELLO) for claim in claims], 0)
    others = [task for number, task in enumerate(asking) if number != spoilt_at]
    async with asyncio.timeout(30):
        assert await asyncio.gather(*others) == [HELLO, HELLO]
    assert claims[spoilt_at] in [saying.claim for saying in turn.dropped]
    assert not broker.redis.zcard(keys.started("high"))


@pytest.mark.parametrize("part", [Head(200, [], "worker"), Chunk(0, memoryview(b"piece"))])
async def test_a_stream_into_a_spoilt_inbox_is_given_up(broker: Broker, part: Head | Chunk) -> None:
    """A worker learns that nobody hears what it says, and what it says to others in the same turn is heard."""
    asking, claims = await broker.start(broker.one, broker.other)
    broker.spoil(keys.inbox(broker.one.gateway_id))
    lost = OutgoingPart(claims[0], part, is_last=False)
    turn = await broker.claimer.publish_and_claim([lost, OutgoingPart(claims[1], HELLO)], 0)
    assert turn.dropped == [lost]
    async with asyncio.timeout(30):
        assert await asking[1] == HELLO


async def test_a_spoilt_inbox_keeps_no_worker_from_claiming(broker: Broker) -> None:
    """The claim that travels together with an answer nobody hears gives what waits."""
    _, claims = await broker.start(broker.one)
    broker.spoil(keys.inbox(broker.one.gateway_id))
    waits = asyncio.create_task(broker.other.ask(Priority.LOW, b"next", "GET /"))
    await until("it is queued", lambda: broker.redis.llen(keys.queue(Priority.LOW)) == 1)
    turn = await broker.claimer.publish_and_claim([OutgoingPart(claims[0], HELLO)], 1)
    assert [claim.queue_name for claim in turn.claims] == ["low"]
    waits.cancel()


async def test_a_queue_of_the_wrong_type(broker: Broker) -> None:
    """Nothing is claimed while a queue is no list, what is in flight is answered, and then all goes on."""
    asking, claims = await broker.start(broker.one)
    broker.redis.hset(keys.queue(Priority.HIGH), "not", "a list")
    turn = await broker.claimer.publish_and_claim([OutgoingPart(claims[0], HELLO)], 1)
    assert (turn.claims, turn.suspended, turn.dropped) == ([], True, [])
    async with asyncio.timeout(30):
        assert await asking[0] == HELLO
    with pytest.raises(BrokerUnavailable):
        await broker.one.ask(Priority.HIGH, b"call", "GET /")
    broker.redis.delete(keys.queue(Priority.HIGH))
    _, claims = await broker.start(broker.one)
    assert len(claims) == 1


async def test_a_wake_up_list_of_the_wrong_type(broker: Broker) -> None:
    """A wake-up list that is something else is done away with by the next worker that looks."""
    broker.redis.zadd(keys.WAKE_UP, {"not a list": 1})
    await broker.claimer.publish_and_claim([], 1)
    assert not broker.redis.exists(keys.WAKE_UP)


async def test_a_register_of_queues_of_the_wrong_type(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What only rq's tools read costs no gateway its sign of life, and the log nothing."""
    monkeypatch.setattr(heartbeat, "_SECONDS", 0.01)
    broker.spoil(keys.QUEUES)
    gateway = Submitter(broker.settings)
    sign_of_life = keys.gateway(gateway.gateway_id)
    async with gateway:
        await until("it shows life", lambda: broker.redis.exists(sign_of_life) == 1)
        broker.redis.delete(sign_of_life)
        await until("it shows life again", lambda: broker.redis.exists(sign_of_life) == 1)
    assert not caplog.records


async def test_it_is_said_once(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """The log says once which key is not what it should be, however often it is met."""
    _, claims = await broker.start(broker.one, broker.one, broker.one)
    inbox = keys.inbox(broker.one.gateway_id)
    broker.spoil(inbox)
    with caplog.at_level(logging.WARNING, logger="rq.worker"):
        for claim in claims:
            await broker.claimer.publish_and_claim([OutgoingPart(claim, Reply(200, [], b""))], 0)
    (said,) = [record.message for record in caplog.records if record.name == "rq.worker"]
    assert inbox in said


async def test_leases_of_the_wrong_type_are_put_right(broker: Broker) -> None:
    """Where the leases are no sorted set, a claim removes it, and gives and leases what waits as ever."""
    broker.spoil(keys.started("high"))
    asking, claims = await broker.start(broker.one, broker.other)
    assert broker.redis.zcard(keys.started("high")) == 2
    await broker.claimer.publish_and_claim([OutgoingPart(claim, HELLO) for claim in claims], 0)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*asking) == [HELLO, HELLO]


async def test_leases_of_the_wrong_type_hold_up_no_answer(broker: Broker) -> None:
    """Answers are delivered, whatever became of the set of leases meanwhile."""
    asking, claims = await broker.start(broker.one, broker.other)
    broker.spoil(keys.started("high"))
    await broker.claimer.publish_and_claim([OutgoingPart(claim, HELLO) for claim in claims], 0)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*asking) == [HELLO, HELLO]


async def test_a_mailbox_of_the_wrong_type_costs_only_what_is_for_it(broker: Broker) -> None:
    """What a gateway says to several workers in one round trip reaches all but the one whose mailbox is spoilt."""
    broker.spoil(keys.inbox("spoilt"))
    refusals = await broker.one._frames._publish_all([("spoilt", b"to nobody"), ("worker", b"to a worker")])
    assert [refusal is None for refusal in refusals] == [False, True]
    assert broker.redis.lrange(keys.inbox("worker"), 0, -1) == [b"to a worker"]


async def test_leaving_is_told_without_memory(broker: Broker) -> None:
    """A worker hears that a client has left also while Redis is out of memory: its slot is not kept for nobody."""
    asking, _ = await broker.start(broker.one)
    broker.redis.config_set("maxmemory", 1)
    try:
        asking[0].cancel()
        await until("the worker is told", lambda: int(broker.redis.llen(keys.inbox("worker"))) == 1)
    finally:
        broker.redis.config_set("maxmemory", 0)
