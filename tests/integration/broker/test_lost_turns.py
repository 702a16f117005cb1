"""Turns whose answer is lost, with a real Redis behind a link that fails: no slot is lost, and nothing starts twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis import Redis

from fast_priority.broker import keys
from fast_priority.broker.consumer import Consumer
from fast_priority.broker.producer import OwnSlot, Permit, Submitter
from fast_priority.broker.producer.own_slots import OwnSlots
from fast_priority.errors import BrokerUnavailable, GatewayError
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from fast_priority.settings import Settings
from tests.attempts import ask
from tests.chaos.link_faults import Hold
from tests.chaos.proxy import Proxies, Proxy
from tests.integration.broker.test_lost_answers import finished, until

HIGH, LOW = Priority.HIGH, Priority.LOW


class Rig:
    """A gateway with one slot, behind a link to Redis. It notes what starts."""

    def __init__(self, redis: Redis, link: Proxy, submitter: Submitter) -> None:
        self.redis = redis
        self.link = link
        self.submitter = submitter
        self.started: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []

    @property
    def slots(self) -> OwnSlots:
        assert self.submitter._slots is not None
        return self.submitter._slots

    def ask(self, name: str, priority: Priority = HIGH, *, is_idempotent: bool = False) -> asyncio.Task[Any]:
        """Ask for a slot."""
        asking = ask(
            self.submitter,
            priority,
            name.encode(),
            name,
            is_idempotent=is_idempotent,
            on_start=lambda: self.started.append(name),
        )
        self.tasks.append(asyncio.create_task(asking))
        return self.tasks[-1]

    async def take(self, name: str, priority: Priority = HIGH) -> OwnSlot:
        """Ask for a slot, and return it."""
        slot = await finished(self.ask(name, priority))
        assert isinstance(slot, OwnSlot)
        return slot

    def waiting(self, priority: Priority = HIGH) -> int:
        """Return how many requests wait."""
        return int(self.redis.llen(keys.queue(priority)))

    def break_link(self) -> None:
        """Break all connections, so that bytes on the way are lost; then let bytes pass again."""
        self.link.reset()
        self.link.heal()

    async def until_idle(self) -> None:
        """Return once all slots are free, here and in Redis."""
        await until("the slot is free", lambda: self.slots._ledger.free == self.slots._ledger.slots)
        await until("no lease is left", lambda: not self.redis.zcard(keys.started("high")))


@pytest.fixture
def link(redis_port: int) -> Iterator[Proxy]:
    with Proxies() as proxies:
        yield proxies.before(redis_port)


@pytest.fixture
async def rig(redis: Redis, link: Proxy) -> AsyncIterator[Rig]:
    settings = Settings.load(redis_host="127.0.0.1", redis_port=link.port, poll_interval=0.1, slots=1)
    async with Submitter(settings) as submitter:
        rig = Rig(redis, link, submitter)
        (await rig.take("warm")).close()
        rig.started.clear()
        await until("the gateway knows its Redis", lambda: bool(submitter._inbox._health.server))
        yield rig
        link.heal()
        for task in rig.tasks:
            task.cancel()
        await asyncio.gather(*rig.tasks, return_exceptions=True)


async def test_a_start_whose_answer_is_lost(rig: Rig) -> None:
    """A request that Redis has started, and whose answer is lost, starts once, and the slot is free afterwards."""
    rig.link.downstream = Hold()
    asking = rig.ask("a")
    await until("Redis has started it", lambda: bool(rig.redis.zcard(keys.started("high"))))
    rig.break_link()
    slot = await finished(asking)
    assert rig.started == ["a"]
    slot.close()
    await rig.until_idle()


async def test_a_start_that_never_arrives(rig: Rig) -> None:
    """A request whose turn is lost on its way to Redis is asked for again."""
    rig.link.upstream = Hold()
    asking = rig.ask("a")
    await until("it is written", lambda: rig.slots.turns.overdue_seconds() > 0)
    rig.break_link()
    (await finished(asking)).close()
    assert rig.started == ["a"]
    await rig.until_idle()


async def test_the_time_of_a_request_goes_on(rig: Rig) -> None:
    """A request that is asked for again has no more time: its client gets an error when it would have got it before."""
    rig.link.upstream = Hold()
    asking = rig.ask("a")
    await until("it is written", lambda: rig.slots.turns.overdue_seconds() > 0)
    before = dict(rig.slots.turns._unsent._due._due)
    rig.link.refuse()
    rig.link.reset()
    await until("it waits for a connection", lambda: len(rig.slots.turns._unsent) == 1)
    assert rig.slots.turns._unsent._due._due == before
    rig.link.heal()
    (await finished(asking)).close()


async def test_a_request_that_waits_and_whose_answer_is_lost(rig: Rig) -> None:
    """A request that was queued, and whose answer is lost, waits, and starts once."""
    first = await rig.take("first")
    rig.link.downstream = Hold()
    asking = rig.ask("a")
    await until("it waits", lambda: rig.waiting() == 1)
    rig.break_link()
    await until("the link is there again", lambda: rig.slots.turns._connection.is_open)
    first.close()
    (await finished(asking)).close()
    assert rig.started == ["first", "a"]
    await rig.until_idle()


async def test_a_claim_whose_answer_is_lost(rig: Rig) -> None:
    """What was claimed with a lost answer starts with the next connection. It is not sent to anybody else."""
    first = await rig.take("first")
    waiting = rig.ask("a")
    await until("it waits", lambda: rig.waiting() == 1)
    await until("its submit is answered", lambda: rig.slots.turns.overdue_seconds() == 0)
    rig.link.downstream = Hold()
    first.close()
    await until("it is claimed", lambda: rig.waiting() == 0)
    rig.break_link()
    (await finished(waiting)).close()
    assert rig.started == ["first", "a"]
    await rig.until_idle()


async def test_a_lost_turn_that_redis_then_refuses(rig: Rig, redis: Redis, redis_port: int) -> None:
    """A turn is sent again until Redis takes writes again, and holds up no other for ever."""
    rig.link.upstream = Hold()
    asking = rig.ask("a", is_idempotent=True)
    await until("it is written", lambda: rig.slots.turns.overdue_seconds() > 0)
    async with Submitter(Settings.load(redis_host="127.0.0.1", redis_port=redis_port)) as other:
        waiting = asyncio.create_task(ask(other, HIGH, b"waiting", "waiting"))
        await until("the lost turn will find work", lambda: rig.waiting() == 1)
        redis.config_set("min-replicas-to-write", 1)
        try:
            rig.break_link()
            assert isinstance(await finished(asking), BrokerUnavailable)
        finally:
            redis.config_set("min-replicas-to-write", 0)
        (await finished(waiting)).close()
    (await rig.take("b")).close()
    await rig.until_idle()


async def test_a_gateway_that_ends_takes_no_more_work(redis: Redis, redis_port: int) -> None:
    """While it waits for what it has lent, requests of other gateways are left to others."""
    place: dict[str, Any] = {"redis_host": "127.0.0.1", "redis_port": redis_port}
    lender = await Submitter(Settings.load(slots=2, **place)).__aenter__()
    async with Submitter(Settings.load(**place)) as other:
        lent = [await finished(asyncio.create_task(ask(other, HIGH, b"lent", "lent"))) for _ in range(2)]
        left = asyncio.create_task(ask(other, HIGH, b"left", "left"))
        await until("it waits", lambda: redis.llen(keys.queue(HIGH)) == 1)
        ending = asyncio.create_task(lender.__aexit__())
        await until("it ends", lambda: lender.is_closing)
        lent[0].close()
        await until("the end of one is settled", lambda: redis.zcard(keys.started("high")) == 1)
        lent[1].close()
        await asyncio.wait_for(ending, 30)
        assert redis.llen(keys.queue(HIGH)) == 1
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)


async def test_a_request_with_a_slot_is_looked_for_no_more(rig: Rig) -> None:
    """A request that was queued has no job once a slot is taken for it: a look would find it missing."""
    first = await rig.take("first")
    waiting = rig.ask("a")
    await until("its job is watched", lambda: len(rig.submitter._inbox._detector) == 1)
    first.close()
    slot = await finished(waiting)
    assert len(rig.submitter._inbox._detector) == 0
    slot.close()


async def test_a_client_that_leaves_while_the_answer_is_on_its_way(rig: Rig) -> None:
    """A slot that was taken for a client that has left meanwhile is free again, and nothing starts."""
    rig.link.downstream = Hold()
    asking = rig.ask("a")
    await until("Redis has started it", lambda: bool(rig.redis.zcard(keys.started("high"))))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    rig.link.heal()
    await rig.until_idle()
    assert rig.started == []


@pytest.mark.parametrize("priority", DEFAULT_LEVELS)
async def test_a_redis_that_does_not_answer(rig: Rig, priority: Priority) -> None:
    """A request is refused in time while Redis does not answer, and can be sent again: it does not start later."""
    rig.link.inject(Hold())
    error = await finished(rig.ask("a", priority))
    assert isinstance(error, BrokerUnavailable)
    rig.link.heal()
    (await rig.take("b")).close()
    assert rig.started == ["b"]
    await rig.until_idle()


async def test_many_breaks(rig: Rig) -> None:
    """While the link breaks again and again, each request starts at most once, and none has two slots."""
    in_use = most_in_use = 0

    async def one(name: str) -> None:
        nonlocal in_use, most_in_use
        try:
            slot = await rig.ask(name, LOW if name[-1] in "02468" else HIGH)
        except GatewayError:
            return
        in_use += 1
        most_in_use = max(most_in_use, in_use)
        await asyncio.sleep(0)
        in_use -= 1
        slot.close()

    running = [asyncio.create_task(one(f"{number}")) for number in range(150)]
    for number in range(10):
        await until("some more have started", lambda number=number: len(rig.started) > 5 * number)  # type: ignore[misc]
        rig.break_link()
    await asyncio.wait_for(asyncio.gather(*running), 60)
    assert most_in_use == 1
    assert len(rig.started) == len(set(rig.started))
    await rig.until_idle()


async def test_a_worker_beside_the_slots(rig: Rig, redis_port: int) -> None:
    """A worker takes what waits while the slot is taken; the gateway gets its parts as without slots."""
    slot = await rig.take("first")
    rig.ask("a", is_idempotent=True)
    await until("it waits", lambda: rig.waiting() == 1)
    worker = Consumer({"host": "127.0.0.1", "port": redis_port}, "worker-1")
    (claim,) = (await worker.publish_and_claim([], 1)).claims
    assert claim.gateway_id == rig.submitter.gateway_id
    await worker.close()
    slot.close()


@pytest.fixture
async def lender(rig: Rig, redis_port: int) -> AsyncIterator[Submitter]:
    """Another gateway, with one slot, and no link that fails."""
    settings = Settings.load(redis_host="127.0.0.1", redis_port=redis_port, poll_interval=0.1, slots=1)
    async with Submitter(settings) as lender:
        yield lender


def lent_by(lender: Submitter) -> int:
    """How many slots this gateway has lent."""
    assert lender._slots is not None
    return len(lender._slots._ledger.lent)


@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "lost"])
async def test_a_lent_slot_comes_back(rig: Rig, lender: Submitter, is_lost: bool) -> None:
    """What is over frees the slot that another gateway has lent for it, also if the turn that says so is lost."""
    own = await rig.take("own")
    lent = await finished(rig.ask("lent"))
    assert isinstance(lent, Permit)
    await until("the lender knows it", lambda: lent_by(lender) == 1)
    if is_lost:
        rig.link.upstream = Hold()
    lent.close()
    if is_lost:
        await until("it is written", lambda: rig.slots.turns.overdue_seconds() > 0)
        rig.break_link()
    await until("the slot is back", lambda: lent_by(lender) == 0)
    own.close()
    await rig.until_idle()
