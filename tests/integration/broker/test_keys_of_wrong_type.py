"""Keys in Redis that have the wrong type: what they hold is lost, and everything else continues."""

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
from tests.attempts import ask
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
        """Let each gateway submit a request, in this order, and let the worker claim them all."""
        asking = []
        for number, gateway in enumerate(gateways, 1):
            asking.append(asyncio.create_task(ask(gateway, Priority.HIGH, b"call", "GET /")))
            await until("it is queued", lambda number=number: self.waiting() == number)  # type: ignore[misc]
        self._asking += asking
        return asking, (await self.claimer.publish_and_claim([], len(gateways))).claims

    def waiting(self) -> int:
        return int(self.redis.llen(keys.queue(Priority.HIGH)))

    async def let_go(self) -> None:
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def break_key(self, key: str) -> None:
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


@pytest.mark.parametrize("broken_at", [0, 1, 2])
async def test_an_inbox_of_the_wrong_type_affects_no_other(broker: Broker, broken_at: int) -> None:
    """Responses of one round trip reach all gateways but the one whose inbox has the wrong type, wherever it stands."""
    gateways = [broker.other] * 3
    gateways[broken_at] = broker.one
    asking, claims = await broker.start(*gateways)
    broker.break_key(keys.inbox(broker.one.gateway_id))
    result = await broker.claimer.publish_and_claim([OutgoingPart(claim, HELLO) for claim in claims], 0)
    others = [task for number, task in enumerate(asking) if number != broken_at]
    async with asyncio.timeout(30):
        assert await asyncio.gather(*others) == [HELLO, HELLO]
    assert claims[broken_at] in [part.claim for part in result.dropped]
    assert not broker.redis.zcard(keys.started("high"))


@pytest.mark.parametrize("part", [Head(200, [], "worker"), Chunk(0, memoryview(b"piece"))])
async def test_a_stream_into_an_inbox_of_the_wrong_type(broker: Broker, part: Head | Chunk) -> None:
    """A worker learns that a part was dropped, and its other parts of the same round trip are published."""
    asking, claims = await broker.start(broker.one, broker.other)
    broker.break_key(keys.inbox(broker.one.gateway_id))
    lost = OutgoingPart(claims[0], part, is_last=False)
    result = await broker.claimer.publish_and_claim([lost, OutgoingPart(claims[1], HELLO)], 0)
    assert result.dropped == [lost]
    async with asyncio.timeout(30):
        assert await asking[1] == HELLO


async def test_a_claim_beside_an_inbox_of_the_wrong_type(broker: Broker) -> None:
    """A claim in the same round trip as a dropped response returns what waits."""
    _, claims = await broker.start(broker.one)
    broker.break_key(keys.inbox(broker.one.gateway_id))
    waits = asyncio.create_task(ask(broker.other, Priority.LOW, b"next", "GET /"))
    await until("it is queued", lambda: broker.redis.llen(keys.queue(Priority.LOW)) == 1)
    result = await broker.claimer.publish_and_claim([OutgoingPart(claims[0], HELLO)], 1)
    assert [claim.queue_name for claim in result.claims] == ["low"]
    waits.cancel()


async def test_a_queue_of_the_wrong_type(broker: Broker) -> None:
    """While a queue is not a list nothing is claimed, requests in flight are answered; then everything continues."""
    asking, claims = await broker.start(broker.one)
    broker.redis.hset(keys.queue(Priority.HIGH), "not", "a list")
    result = await broker.claimer.publish_and_claim([OutgoingPart(claims[0], HELLO)], 1)
    assert (result.claims, result.suspended, result.dropped) == ([], True, [])
    async with asyncio.timeout(30):
        assert await asking[0] == HELLO
    with pytest.raises(BrokerUnavailable):
        await ask(broker.one, Priority.HIGH, b"call", "GET /")
    broker.redis.delete(keys.queue(Priority.HIGH))
    _, claims = await broker.start(broker.one)
    assert len(claims) == 1


async def test_a_wake_up_list_of_the_wrong_type(broker: Broker) -> None:
    """A wake-up list of the wrong type is removed by the next claim."""
    broker.redis.zadd(keys.WAKE_UP, {"not a list": 1})
    await broker.claimer.publish_and_claim([], 1)
    assert not broker.redis.exists(keys.WAKE_UP)


async def test_a_register_of_queues_of_the_wrong_type(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The register of queues, which only rq's tools read, costs no gateway its sign of life, and is not logged."""
    monkeypatch.setattr(heartbeat, "_SECONDS", 0.01)
    broker.break_key(keys.QUEUES)
    gateway = Submitter(broker.settings)
    sign_of_life = keys.gateway(gateway.gateway_id)
    async with gateway:
        await until("its sign of life is there", lambda: broker.redis.exists(sign_of_life) == 1)
        broker.redis.delete(sign_of_life)
        await until("its sign of life is back", lambda: broker.redis.exists(sign_of_life) == 1)
    assert not caplog.records


async def test_it_is_logged_once(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the key with the wrong type once, however often it is used."""
    _, claims = await broker.start(broker.one, broker.one, broker.one)
    inbox = keys.inbox(broker.one.gateway_id)
    broker.break_key(inbox)
    with caplog.at_level(logging.WARNING, logger="rq.worker"):
        for claim in claims:
            await broker.claimer.publish_and_claim([OutgoingPart(claim, Reply(200, [], b""))], 0)
    (logged,) = [record.message for record in caplog.records if record.name == "rq.worker"]
    assert inbox in logged


async def test_leases_of_the_wrong_type_are_replaced(broker: Broker) -> None:
    """If the leases are not a sorted set, a claim removes that key, and claims and leases as usual."""
    broker.break_key(keys.started("high"))
    asking, claims = await broker.start(broker.one, broker.other)
    assert broker.redis.zcard(keys.started("high")) == 2
    await broker.claimer.publish_and_claim([OutgoingPart(claim, HELLO) for claim in claims], 0)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*asking) == [HELLO, HELLO]


async def test_leases_of_the_wrong_type_delay_no_response(broker: Broker) -> None:
    """Responses are published, whatever type the key of the leases has."""
    asking, claims = await broker.start(broker.one, broker.other)
    broker.break_key(keys.started("high"))
    await broker.claimer.publish_and_claim([OutgoingPart(claim, HELLO) for claim in claims], 0)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*asking) == [HELLO, HELLO]


async def test_a_mailbox_of_the_wrong_type_affects_no_other(broker: Broker) -> None:
    """The frames of one round trip reach all workers but the one whose mailbox has the wrong type."""
    broker.break_key(keys.inbox("broken"))
    refusals = await broker.one._frames._publish_all([("broken", b"dropped"), ("worker", b"to a worker")])
    assert [refusal is None for refusal in refusals] == [False, True]
    assert broker.redis.lrange(keys.inbox("worker"), 0, -1) == [b"to a worker"]


async def test_a_cancel_without_memory(broker: Broker) -> None:
    """A worker receives a Cancel frame also while Redis is out of memory, so that its slot is freed."""
    asking, _ = await broker.start(broker.one)
    broker.redis.config_set("maxmemory", 1)
    try:
        asking[0].cancel()
        await until("the worker has a frame", lambda: int(broker.redis.llen(keys.inbox("worker"))) == 1)
    finally:
        broker.redis.config_set("maxmemory", 0)
