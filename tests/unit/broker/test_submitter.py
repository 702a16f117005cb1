"""Requests of a gateway: submitted, refused, taken back."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from fast_priority.broker import keys, scripts
from fast_priority.broker.consumer import Consumer, OutgoingPart
from fast_priority.broker.producer import Submitter
from fast_priority.broker.producer import submission as submissions
from fast_priority.broker.producer.submission import Submission
from fast_priority.errors import BrokerUnavailable, NotSent, QueueFull, RequestBodyTooLarge, RequestLost, WaitedTooLong
from fast_priority.gateway.request_body import RequestBody
from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Cancel, Chunk, Credit, End, Failure, Frame, decode_frame, encode
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from fast_priority.settings import Settings
from fast_priority.support.rate_timeout import RateTimeout
from tests.attempts import ask, ask_in_two_attempts
from tests.unit.broker_rig import HELLO, PATIENCE_SECONDS, Rig, submit_outbox_of, until


class Held:
    """The calls of a script, which do not reach Redis before `through` is set."""

    def __init__(self, call: type[scripts.ScriptCall], monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = 0
        self.through = asyncio.Event()
        run = call.run

        async def held_run(call: scripts.ScriptCall, *arguments: Any) -> Any:
            self.runs += 1
            await self.through.wait()
            return await run(call, *arguments)

        monkeypatch.setattr(call, "run", held_run)


async def let_others_run() -> None:
    """Run enough turns of the event loop for a withdrawal to overtake a submit that is held."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.fixture
async def held_submits(monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(scripts.SubmitCall, monkeypatch)


@pytest.mark.parametrize("priority", DEFAULT_LEVELS)
async def test_submitted(rig: Rig, submitter: Submitter, priority: Priority) -> None:
    """A request is on the queue of its priority only, with its payload in a job of that id."""
    await rig.queue(submitter, priority, b"payload")
    other = Priority.LOW if priority is Priority.HIGH else Priority.HIGH
    assert (rig.payloads(priority), rig.waiting(other)) == ([b"payload"], 0)


async def test_submitted_in_one_step(rig: Rig, submitter: Submitter) -> None:
    """A request appears with everything it needs in one step: id, job, TTL, sign of life and wake-up token."""
    await rig.queue(submitter, Priority.LOW)
    (job_id,) = rig.ids(Priority.LOW)
    assert rig.redis.hget(keys.job(job_id), "gateway") == submitter.gateway_id.encode()
    assert rig.redis.ttl(keys.job(job_id)) > 0
    assert rig.redis.exists(keys.gateway(submitter.gateway_id))
    assert rig.tokens() == 1


async def test_one_turn_one_script(rig: Rig, submitter: Submitter, held_submits: Held) -> None:
    """Requests of one event-loop turn are submitted by one script, in their order."""
    for number in range(5):
        rig.ask(submitter, Priority.LOW, b"%d" % number)
    held_submits.through.set()
    await until("all are queued", lambda: rig.waiting(Priority.LOW) == 5)
    assert held_submits.runs == 1
    assert rig.payloads(Priority.LOW) == [b"0", b"1", b"2", b"3", b"4"]


async def test_queue_full(rig: Rig) -> None:
    """A request for a full queue is refused, and nothing of it is left in Redis."""
    async with Submitter(Settings.load(max_queued_low=2)) as submitter:
        for _ in range(2):
            await rig.queue(submitter, Priority.LOW)
        before = rig.jobs()
        refused = rig.ask(submitter, Priority.LOW, b"one too many")
        await until("it is refused", refused.done)
        assert isinstance(refused.exception(), QueueFull)
        assert (rig.waiting(Priority.LOW), rig.jobs()) == (2, before)
        await rig.let_go()


async def test_queue_full_within_a_batch(rig: Rig) -> None:
    """Of requests that are submitted together, the first ones are queued while there is room."""
    async with Submitter(Settings.load(max_queued_low=2)) as submitter:
        asking = [rig.ask(submitter, Priority.LOW, b"%d" % number) for number in range(3)]
        await until("the third is refused", asking[2].done)
        assert isinstance(asking[2].exception(), QueueFull)
        assert rig.payloads(Priority.LOW) == [b"0", b"1"]
        await rig.let_go()


async def test_each_queue_has_its_own_limit(rig: Rig) -> None:
    """A full low queue does not refuse high requests."""
    async with Submitter(Settings.load(max_queued_low=1)) as submitter:
        await rig.queue(submitter, Priority.LOW)
        await rig.queue(submitter, Priority.HIGH)
        assert rig.waiting(Priority.HIGH) == 1
        await rig.let_go()


async def test_room_again(rig: Rig, claimer: Consumer) -> None:
    """A queue that was full takes requests again once one was claimed."""
    async with Submitter(Settings.load(max_queued_low=1)) as submitter:
        await rig.queue(submitter, Priority.LOW)
        await claimer.publish_and_claim([], 1)
        await rig.queue(submitter, Priority.LOW, b"next")
        assert rig.payloads(Priority.LOW) == [b"next"]
        await rig.let_go()


async def test_withdrawn(rig: Rig, submitter: Submitter) -> None:
    """If a client leaves while its request is queued, id and job are removed."""
    asking = await rig.queue(submitter, Priority.LOW)
    asking.cancel()
    await until("the queue is empty", lambda: not rig.waiting(Priority.LOW))
    assert rig.jobs() == []


async def test_withdrawn_alone(rig: Rig, submitter: Submitter) -> None:
    """If a client leaves, only its own request is removed, and the others keep their order."""
    asking = [await rig.queue(submitter, Priority.LOW, b"%d" % number) for number in range(3)]
    asking[1].cancel()
    await until("one is gone", lambda: rig.waiting(Priority.LOW) == 2)
    assert rig.payloads(Priority.LOW) == [b"0", b"2"]


async def test_started_is_not_withdrawn(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """If a client leaves after a worker has started its request, the job stays with that worker."""
    asking, claim = await rig.start(submitter, claimer)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await rig.queue(submitter, Priority.LOW)
    assert rig.redis.exists(keys.job(claim.job_id))
    assert rig.lease(claim) is not None


async def test_left_before_it_was_sent(rig: Rig, submitter: Submitter, held_submits: Held) -> None:
    """If a client leaves while its request waits for the next round trip, nothing is queued."""
    rig.ask(submitter, Priority.LOW, b"first")
    await until("a round trip is running", lambda: held_submits.runs == 1)
    leaving = rig.ask(submitter, Priority.LOW, b"leaving")
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await let_others_run()
    held_submits.through.set()
    rig.ask(submitter, Priority.LOW, b"last")
    await until("the last is queued", lambda: b"last" in rig.payloads(Priority.LOW))
    assert rig.payloads(Priority.LOW) == [b"first", b"last"]


async def test_left_while_it_was_sent(rig: Rig, submitter: Submitter, held_submits: Held) -> None:
    """If a client leaves while its request is on its way to Redis, nothing is queued in the end."""
    leaving = rig.ask(submitter, Priority.LOW, b"leaving")
    await until("it is on its way", lambda: held_submits.runs == 1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await let_others_run()
    held_submits.through.set()
    rig.ask(submitter, Priority.HIGH, b"later")
    await until("a later request is queued", lambda: rig.waiting(Priority.HIGH) == 1)
    await until("it is withdrawn", lambda: not submitter._withdrawals._running)
    assert rig.payloads(Priority.LOW) == []


async def test_waited_too_long(rig: Rig) -> None:
    """A request that no worker claims within its TTL fails with WaitedTooLong and leaves the queue."""
    at_once = Settings.load().model_copy(update={"ttl": 0})
    async with Submitter(at_once) as submitter:
        with pytest.raises(WaitedTooLong):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ask(submitter, Priority.LOW, b"payload", "GET /")
        assert (rig.waiting(Priority.LOW), rig.jobs()) == (0, [])


async def test_started_as_its_ttl_ended(rig: Rig, claimer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that a worker started just before it could be withdrawn is answered, however long after its TTL."""
    held = Held(scripts.WithdrawCall, monkeypatch)
    at_once = Settings.load().model_copy(update={"ttl": 0})
    async with Submitter(at_once) as submitter:
        asking, claim = await rig.start(submitter, claimer)
        await until("its TTL is over", lambda: held.runs == 1)
        held.through.set()
        await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await asking == HELLO


async def test_redis_away(rig: Rig, submitter: Submitter) -> None:
    """Without Redis, a request fails with BrokerUnavailable."""
    await until("the gateway has shown its sign of life", lambda: bool(rig.all_keys(keys.GATEWAY_PREFIX + "*")))
    rig.server.connected = False
    with pytest.raises(BrokerUnavailable):
        await ask(submitter, Priority.LOW, b"payload", "GET /")
    rig.server.connected = True


async def test_redis_back(rig: Rig, submitter: Submitter) -> None:
    """Once Redis is back, the same gateway queues requests again."""
    rig.server.connected = False
    with pytest.raises(BrokerUnavailable):
        await ask(submitter, Priority.LOW, b"payload", "GET /")
    rig.server.connected = True
    await rig.queue(submitter, Priority.LOW, b"again")
    assert rig.payloads(Priority.LOW)[-1] == b"again"


async def test_redis_forgot_the_scripts(rig: Rig, submitter: Submitter) -> None:
    """A Redis that has lost its scripts, after a restart, receives them again."""
    await rig.queue(submitter, Priority.LOW)
    rig.redis.script_flush()
    await rig.queue(submitter, Priority.LOW)
    assert rig.waiting(Priority.LOW) == 2


async def test_gone_gateway_leaves_no_sign(rig: Rig) -> None:
    """A gateway that ended has removed its sign of life and its inbox."""
    async with Submitter(Settings.load()) as submitter:
        await rig.queue(submitter, Priority.LOW)
        await rig.let_go()
    assert not rig.all_keys(f"{keys.OURS}:gateway:*")
    assert not rig.all_keys(f"{keys.OURS}:inbox:*")


async def test_late(rig: Rig, held_submits: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A submit that Redis carries out after its clients got 503 queues nothing."""
    monkeypatch.setattr(submissions, "SUBMIT_SECONDS", 0.4)
    async with Submitter(Settings.load()) as submitter:
        refused = rig.ask(submitter, Priority.LOW, b"late")
        await until("it is written", lambda: held_submits.runs == 1)
        (waiting,) = submitter._inbox._waiting.values()
        await until("its time is over", lambda: time.monotonic() > waiting.progressed_at + 0.5)
        held_submits.through.set()
        await until("its client has an error", refused.done)
    assert isinstance(refused.exception(), BrokerUnavailable)
    assert (rig.waiting(Priority.LOW), rig.jobs()) == (0, [])


def submission(job_id: str, until: float) -> Submission:
    return Submission(
        Conversation(), job_id, Priority.HIGH, bytes, "GET /", is_idempotent=False, ttl_seconds=30, until=until
    )


async def test_late_alone(rig: Rig, submitter: Submitter) -> None:
    """A request that is late does not affect another one of the same batch that is in time."""
    present = time.monotonic()
    late = submission("late", until=present - 1)
    in_time = submission("in-time", until=present + PATIENCE_SECONDS)
    assert await submit_outbox_of(submitter)._submit([late, in_time]) == ["late", "queued"]
    assert rig.ids(Priority.HIGH) == ["in-time"]


async def test_the_worker_receives_a_cancel(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """If a client leaves, the worker that has started its request receives a Cancel frame on its mailbox."""
    asking, claim = await rig.start(submitter, claimer)
    asking.cancel()
    await until("the worker has a frame", lambda: bool(rig.redis.exists(keys.inbox("worker-1"))))
    assert decode_frame(rig.redis.lpop(keys.inbox("worker-1"))) == Frame(claim.job_id, Cancel())
    assert rig.redis.ttl(keys.inbox("worker-1")) != -1


async def test_a_chunk_without_a_head(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A chunk without a head fails the request, and the worker receives a Cancel frame."""
    asking, claim = await rig.start(submitter, claimer)
    await claimer.publish_and_claim([OutgoingPart(claim, Chunk(0, memoryview(b"a")), is_last=False)], 0)
    await until("it has failed", asking.done)
    assert isinstance(asking.exception(), RequestLost)
    await until("the worker has a frame", lambda: bool(rig.redis.exists(keys.inbox("worker-1"))))


async def test_a_body_is_read_as_credit_allows(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """Nothing of a body outside the call is read before a worker grants credit, and then no more than that."""
    read: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(3):
            read.append(number)
            yield b"%d" % number

    asking = asyncio.create_task(ask(submitter, Priority.HIGH, b"call", "POST /", body()))
    await until("it is queued", lambda: rig.waiting(Priority.HIGH) == 1)
    await let_others_run()
    assert read == []
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    await claimer.publish_and_claim([OutgoingPart(claim, Credit(2, "worker-1"), is_last=False)], 0)
    mailbox = keys.inbox("worker-1")
    await until("two pieces are there", lambda: rig.redis.llen(mailbox) == 2)
    await let_others_run()
    assert read == [0, 1]
    await claimer.publish_and_claim([OutgoingPart(claim, Credit(4, "worker-1"), is_last=False)], 0)
    await until("the rest is there", lambda: rig.redis.llen(mailbox) == 4)
    parts = [decode_frame(rig.redis.lpop(mailbox)).part for _ in range(4)]
    assert parts == [*(Chunk(number, memoryview(b"%d" % number)) for number in range(3)), End(3)]
    await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asking == HELLO


async def test_a_body_that_no_worker_wanted_goes_with_the_second_attempt(
    rig: Rig, submitter: Submitter, claimer: Consumer
) -> None:
    """A first piece that the gateway has read, and sent to no worker, does not prevent a second attempt."""
    messages = iter([(b"first", True), (b"last", False)])

    async def receive() -> Message:
        data, more = next(messages)
        return {"type": "http.request", "body": data, "more_body": more}

    body = RequestBody(None, receive, 0, RateTimeout(PATIENCE_SECONDS, LEAST_BYTES_PER_SECOND))
    assert await body.read_ahead() is None
    asking = asyncio.create_task(ask_in_two_attempts(submitter, Priority.HIGH, body=body.chunks))
    await until("it is queued", lambda: rig.waiting(Priority.HIGH) == 1)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    await claimer.publish_and_claim([OutgoingPart(claim, Failure(NotSent.slug, "its worker was away"))], 0)
    await until("it is queued again", lambda: rig.waiting(Priority.HIGH) == 1)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    await claimer.publish_and_claim([OutgoingPart(claim, Credit(8, "worker-1"), is_last=False)], 0)
    mailbox = keys.inbox("worker-1")
    await until("all of it is there", lambda: rig.redis.llen(mailbox) == 3)
    parts = [decode_frame(rig.redis.lpop(mailbox)).part for _ in range(3)]
    assert parts == [Chunk(0, memoryview(b"first")), Chunk(1, memoryview(b"last")), End(2)]
    await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asking == HELLO


async def test_a_body_that_fails_fails_the_request(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """An error of the body fails the request, and the worker receives a Cancel frame."""

    async def body() -> AsyncIterator[bytes]:
        yield b"0"
        raise RequestBodyTooLarge("too large")

    asking = asyncio.create_task(ask(submitter, Priority.HIGH, b"call", "POST /", body()))
    await until("it is queued", lambda: rig.waiting(Priority.HIGH) == 1)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    await claimer.publish_and_claim([OutgoingPart(claim, Credit(8, "worker-1"), is_last=False)], 0)
    await until("it has failed", asking.done)
    assert isinstance(asking.exception(), RequestBodyTooLarge)
    await until("the worker has a frame", lambda: rig.redis.llen(keys.inbox("worker-1")) == 2)


async def test_answered_before_it_is_known_to_be_queued(rig: Rig, submitter: Submitter, held_submits: Held) -> None:
    """A request whose answer comes before that to its submit is answered: a worker has it, so it was queued."""
    asking = rig.ask(submitter, Priority.LOW, b"quick")
    await until("it is on its way", lambda: held_submits.runs == 1)
    (job_id,) = submitter._inbox._waiting
    rig.redis.rpush(keys.inbox(submitter.gateway_id), encode(Frame(job_id, HELLO)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asking == HELLO
    held_submits.through.set()
