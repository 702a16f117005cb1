"""Submits whose answer is lost, with a real Redis behind a link that fails: every reported outcome is certain.

The requests here must not reach the target twice, unless a test says otherwise.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import connect
from fast_priority.broker.connection.redis_health import Ahead
from fast_priority.broker.consumer import Claim, Consumer, OutgoingPart
from fast_priority.broker.jobs import payload_of
from fast_priority.broker.producer import Submitter
from fast_priority.broker.producer.submission import SUBMIT_SECONDS
from fast_priority.broker.producer.submitter import Outcome
from fast_priority.errors import BrokerUnavailable, GatewayError, NotQueued, RequestLost
from fast_priority.http.message import Reply
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Chunk, End, decode_frame
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.attempts import ask, ask_in_two_attempts
from tests.chaos.link_faults import Delay, Hold, Swallow
from tests.chaos.proxy import Proxies, Proxy
from tests.unit.broker_rig import submit_outbox_of

PATIENCE_SECONDS = 30.0
HELLO = Reply(200, [], b"hello")


async def until(what: str, condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"it never happened that {what}") from None


class Rig:
    """A gateway behind a link to Redis, and a worker with its own link."""

    def __init__(self, redis: Redis, link: Proxy, submitter: Submitter, claimer: Consumer) -> None:
        self.redis = redis
        self.link = link
        self.submitter = submitter
        self.claimer = claimer
        self.asked: list[asyncio.Task[Outcome]] = []

    def ask(self, payload: bytes = b"call", *, is_idempotent: bool = False) -> asyncio.Task[Outcome]:
        """Start a request."""
        asking = ask_in_two_attempts(self.submitter, Priority.HIGH, payload, is_idempotent=is_idempotent)
        self.asked.append(asyncio.create_task(asking))
        return self.asked[-1]

    def queued(self) -> list[bytes]:
        """Return the payloads on the queue, oldest first."""
        ids: list[bytes] = self.redis.lrange(keys.queue(Priority.HIGH), 0, -1)  # type: ignore[assignment]
        found: list[Any] = [self.redis.hget(keys.job(job_id.decode()), "data") for job_id in ids]
        return [payload_of(data, max_bytes=1024) for data in found if data is not None]

    async def until_queued(self, *payloads: bytes) -> None:
        """Return once exactly these payloads are on the queue."""
        await until(f"the queue has {payloads}", lambda: self.queued() == list(payloads))

    async def claim(self) -> Claim:
        """Let the worker claim a request."""
        (claim,) = (await self.claimer.publish_and_claim([], 1)).claims
        return claim

    async def answer(self, claim: Claim) -> None:
        """Let the worker answer a request."""
        await self.claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)

    def break_link(self) -> None:
        """Break all connections, so that bytes on the way are lost; then let bytes pass again."""
        held = self.link.upstream, self.link.downstream
        self.link.reset()
        self.link.heal()
        assert held != (self.link.upstream, self.link.downstream)


@pytest.fixture
def link(redis_port: int) -> Iterator[Proxy]:
    with Proxies() as proxies:
        yield proxies.before(redis_port)


@pytest.fixture
async def rig(redis: Redis, redis_port: int, link: Proxy) -> AsyncIterator[Rig]:
    settings = Settings.load(redis_host="127.0.0.1", redis_port=link.port, poll_interval=0.1)
    claimer = Consumer({"host": "127.0.0.1", "port": redis_port}, "worker-1")
    async with Submitter(settings) as submitter:
        rig = Rig(redis, link, submitter, claimer)
        warm = rig.ask(b"first")  # the gateway knows the server by then, and has its connections
        await rig.until_queued(b"first")
        await rig.answer(await rig.claim())
        assert await finished(warm) == HELLO
        await until("the gateway knows its Redis", lambda: bool(submitter._inbox._health.server))
        yield rig
        link.heal()
        for task in rig.asked:
            task.cancel()
        await asyncio.gather(*rig.asked, return_exceptions=True)
    await claimer.close()


async def finished(task: "asyncio.Task[Outcome]") -> Any:
    """Return the answer, or the error."""
    await asyncio.wait([task], timeout=PATIENCE_SECONDS)
    assert task.done(), "it was not answered"
    return task.exception() or task.result()


async def test_queued_and_the_answer_lost(rig: Rig) -> None:
    """A request that was queued, and whose submit was not answered, waits and is answered. It is not sent twice."""
    rig.link.downstream = Hold()
    asking = rig.ask()
    await rig.until_queued(b"call")
    rig.break_link()
    await rig.answer(await rig.claim())
    assert await finished(asking) == HELLO


async def test_started_and_the_answer_lost(rig: Rig) -> None:
    """A request that a worker claims before its submit is answered still waits."""
    rig.link.downstream = Hold()
    asking = rig.ask()
    await rig.until_queued(b"call")
    claim = await rig.claim()
    rig.break_link()
    await until("the gateway has asked", lambda: not submit_outbox_of(rig.submitter)._batches._sending)
    assert not asking.done()
    await rig.answer(claim)
    assert await finished(asking) == HELLO


async def test_answered_and_the_answer_lost(rig: Rig) -> None:
    """A request that is answered before its submit is answered gets that response, from the inbox."""
    rig.link.downstream = Hold()
    asking = rig.ask()
    await rig.until_queued(b"call")
    await rig.answer(await rig.claim())
    rig.break_link()
    assert await finished(asking) == HELLO


async def test_never_arrived(rig: Rig) -> None:
    """A submit that was lost on its way is submitted again, once, and its client does not notice."""
    rig.link.upstream = Hold()
    asking = rig.ask()
    await until("it is written", lambda: submit_outbox_of(rig.submitter)._batches._sending is not None)
    await asyncio.sleep(0.05)  # for the bytes to reach the link that holds them
    rig.break_link()
    await rig.until_queued(b"call")
    await rig.answer(await rig.claim())
    assert await finished(asking) == HELLO


async def test_a_submit_that_is_repeated_announces_each_job(rig: Rig) -> None:
    """The caller of `ask` gets the id of the job that was lost, and then that of the job that a worker claims."""
    submitted: list[str] = []
    rig.link.upstream = Hold()
    asking = asyncio.create_task(ask(rig.submitter, Priority.HIGH, b"call", "GET /", on_submit=submitted.append))
    rig.asked.append(asking)
    await until("it is written", lambda: submit_outbox_of(rig.submitter)._batches._sending is not None)
    await asyncio.sleep(0.05)  # for the bytes to reach the link that holds them
    rig.break_link()
    await rig.until_queued(b"call")
    claim = await rig.claim()
    await rig.answer(claim)
    assert await finished(asking) == HELLO
    assert (len(set(submitted)), submitted[-1]) == (2, claim.job_id)


@pytest.mark.parametrize("is_idempotent", [False, True], ids=["POST", "GET"])
async def test_redis_does_not_answer(rig: Rig, is_idempotent: bool) -> None:
    """If Redis cannot be asked in time, its client may repeat only a request that does no harm twice.

    The request is queued, and withdrawn as soon as Redis answers.
    """
    rig.link.downstream = Swallow()
    asking = rig.ask(is_idempotent=is_idempotent)
    error = await finished(asking)
    assert isinstance(error, BrokerUnavailable if is_idempotent else RequestLost)
    assert getattr(error, "retry_after_seconds", None) == (1 if is_idempotent else None)
    rig.link.heal()
    await rig.until_queued()


async def test_nothing_more_is_written(rig: Rig) -> None:
    """While an answer is overdue nothing more is written: later requests are certainly not queued, and fail at once.

    Once Redis answers again, requests are queued again.
    """
    rig.link.downstream = Swallow()
    first = rig.ask(b"uncertain")
    await until("an answer is overdue", lambda: rig.submitter._submits.is_blocked)
    later = [rig.ask(b"certain") for _ in range(3)]
    for task in later:
        error = await finished(task)
        assert isinstance(error, BrokerUnavailable)
        assert error.retry_after_seconds == 1
    assert isinstance(await finished(first), RequestLost)
    assert b"certain" not in rig.queued()
    rig.link.heal()
    await until("Redis has answered", lambda: not rig.submitter._submits.is_blocked)
    rig.ask(b"again")
    await rig.until_queued(b"again")


async def test_what_waits_to_be_written_is_certain(rig: Rig) -> None:
    """Of the requests that come while a submit is not answered, none is written, and none becomes uncertain."""
    rig.link.downstream = Swallow()
    first = rig.ask(b"uncertain")
    await until("it is on its queue", lambda: rig.queued() == [b"uncertain"])
    behind = [rig.ask(b"behind") for _ in range(3)]
    for task in behind:
        assert isinstance(await finished(task), BrokerUnavailable)
    assert isinstance(await finished(first), RequestLost)
    rig.link.heal()
    await until("Redis has answered", lambda: not rig.submitter._submits.is_blocked)
    await rig.until_queued()


async def test_a_gateway_that_was_frozen(rig: Rig) -> None:
    """A gateway that was frozen for longer than a submit may take reads the answer that came meanwhile."""
    asking = rig.ask()
    for _ in range(3):
        await asyncio.sleep(0)  # it is written
    time.sleep(SUBMIT_SECONDS + 0.7)  # noqa: ASYNC251 - as a frozen process
    await rig.until_queued(b"call")
    await rig.answer(await rig.claim())
    assert await finished(asking) == HELLO


async def test_another_redis(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that may have lost what was started cannot prove that a request was not sent."""
    rig.link.upstream = Hold()
    asking = rig.ask()
    await until("it is written", lambda: submit_outbox_of(rig.submitter)._batches._sending is not None)
    await asyncio.sleep(0.05)
    rig.submitter._inbox._health.server = b"the one before"
    rig.submitter._inbox._health.upsets += 1
    rig.break_link()
    assert isinstance(await finished(asking), RequestLost)
    assert not isinstance(asking.exception(), NotQueued)


async def test_recalled_for_good(rig: Rig, redis: Redis, redis_port: int) -> None:
    """A submit that arrives after it was found absent queues nothing, whenever it arrives."""
    client = connect({"host": "127.0.0.1", "port": redis_port})
    recall = scripts.RecallCall(
        inbox_key=keys.inbox("gateway-1"),
        marker=b"marker",
        ids=["late"],
    )
    for _ in range(2):  # the gateway asks again when the answer was lost
        *_, state = await recall.run(client)
        assert state == b"absent"

    async def submit(job_id: str) -> bytes:
        request = scripts.SubmittedRequest(job_id, "high", b"data", "now", "POST /", time.time() + 60, 0, 0, 30)
        *_, outcome = await submit_outbox_of(rig.submitter)._call([request]).run(client)
        return bytes(outcome)

    assert await submit("late") == b"late"
    assert await submit("in-time") == b"queued"
    assert redis.lrange(keys.queue(Priority.HIGH), 0, -1) == [b"in-time"]
    assert not redis.exists(keys.job("late"))
    await client.aclose()


@pytest.mark.parametrize("seconds", [2.0, 5.0, 3600.0])
async def test_a_clock_that_was_set_forward(rig: Rig, seconds: float) -> None:
    """A Redis whose clock was set forward takes requests at once, and no request is taken for lost for a while."""
    health = rig.submitter._inbox._health
    known = health._ahead
    assert known is not None
    health._ahead = Ahead(known.least - seconds, known.most - seconds)  # as if it had been set since
    asking = rig.ask()
    await rig.until_queued(b"call")
    assert health.was_away_within(PATIENCE_SECONDS)
    await rig.answer(await rig.claim())
    assert await finished(asking) == HELLO


async def test_a_slow_link_loses_nothing(rig: Rig) -> None:
    """A late answer is not a lost one."""
    rig.link.inject(Delay(0.2))
    asking = rig.ask()
    await rig.until_queued(b"call")
    await rig.answer(await rig.claim())
    assert await finished(asking) == HELLO


async def test_every_connection_is_killed_again_and_again(rig: Rig) -> None:
    """If Redis kills all connections again and again, each request is queued once, and answered."""
    answered = 0

    async def work() -> None:
        nonlocal answered
        while True:
            result = await rig.claimer.publish_and_claim([], 8)
            for claim in result.claims:
                await rig.answer(claim)
                answered += 1
            await asyncio.sleep(0.002)

    working = asyncio.create_task(work())
    tasks: list[asyncio.Task[Outcome]] = []
    for _ in range(20):
        before = answered
        tasks += [rig.ask(b"%d" % number) for number in range(10)]
        await asyncio.sleep(0)
        rig.link.reset()
        await until("something gets through between two faults", lambda before=before: answered > before)  # type: ignore[misc]
    results = [await finished(task) for task in tasks]
    await until("the worker knows that it has answered all", lambda: answered >= len(tasks))
    working.cancel()
    failed = [result for result in results if isinstance(result, GatewayError)]
    assert [result for result in failed if not isinstance(result, BrokerUnavailable)] == []
    assert failed == []
    assert answered == len(tasks)


async def test_frames_to_a_worker_whose_answer_is_lost(rig: Rig) -> None:
    """The frames for a worker arrive in order and without a gap, however often connections break."""
    conversation = Conversation()
    conversation.mailbox = "worker-1"
    frames = rig.submitter._frames
    published: list[asyncio.Future[None]] = []
    for number in range(60):
        published.append(frames.publish("job-1", conversation, Chunk(number, memoryview(b"%d" % number))))
        await asyncio.sleep(0.005)
        if number % 4 == 0:
            rig.link.reset()
    published.append(frames.publish("job-1", conversation, End(60)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*published)
    received = Conversation()
    found = rig.redis.lrange(keys.inbox("worker-1"), 0, -1)
    for data in found:
        assert isinstance(data, bytes)
        received.receive(decode_frame(data).part)
    parts = [await received.next() for _ in range(61)]
    assert parts == [*(Chunk(number, memoryview(b"%d" % number)) for number in range(60)), End(60)]


async def test_frames_wait_for_a_redis_that_does_not_answer(rig: Rig) -> None:
    """A Redis that is away for a moment breaks no transfer: frames are sent when it is back."""
    conversation = Conversation()
    conversation.mailbox = "worker-1"
    rig.link.inject(Swallow())
    published = rig.submitter._frames.publish("job-1", conversation, Chunk(0, memoryview(b"0")))
    await until("a connection has lost it", lambda: rig.submitter._frames._batches._sending is not None)
    rig.link.heal()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await published
    assert not conversation.is_ready
