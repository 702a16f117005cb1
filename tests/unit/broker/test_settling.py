"""Settlements: each request is answered once, by the worker that holds its lease."""

import asyncio

import pytest

from fast_priority.broker import keys
from fast_priority.broker.consumer import Claim, Consumer, GatewayState, OutgoingPart, RqConnection
from fast_priority.broker.producer import Submitter
from fast_priority.broker.producer.streams import Stream
from fast_priority.errors import TargetRefused
from fast_priority.http.message import Reply
from fast_priority.protocol.frames import Chunk, End, Failure, Head, Part
from fast_priority.scheduling.priority import Priority
from tests.redis_run import note_run
from tests.unit.broker_rig import HELLO, PATIENCE_SECONDS, Rig, until


@pytest.mark.parametrize("outcome", [HELLO, Reply(204, [], b"")])
async def test_settled(rig: Rig, submitter: Submitter, claimer: Consumer, outcome: Reply) -> None:
    """The gateway that asked receives the response with which the worker settles the request."""
    asking, claim = await rig.start(submitter, claimer)
    result = await claimer.publish_and_claim([OutgoingPart(claim, outcome)], 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await asking, result.dropped) == (outcome, [])


async def test_settled_with_a_failure(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """The gateway that asked raises the failure of the worker."""
    asking, claim = await rig.start(submitter, claimer)
    await claimer.publish_and_claim([OutgoingPart(claim, Failure("target-refused", "nothing listens"))], 0)
    with pytest.raises(TargetRefused, match="nothing listens"):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asking


async def test_nothing_is_left(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """After a request was answered, Redis keeps nothing of it but, for some seconds, its id as the last one claimed."""
    asking, claim = await rig.start(submitter, claimer)
    await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
    await until("it is answered", asking.done)
    left = {
        keys.QUEUES,
        keys.DEPLOYMENT,
        keys.LEVELS,
        keys.gateway(submitter.gateway_id),
        keys.last_claim("worker-1", "turn"),
    }
    await until("nothing else is left", lambda: set(rig.all_keys()) == left)


async def test_settled_twice(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A second settlement, after a lost answer, changes nothing."""
    asking, claim = await rig.start(submitter, claimer)
    for _ in range(2):
        await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
    await until("the inbox is read", lambda: not rig.redis.llen(keys.inbox(submitter.gateway_id)))
    assert (await asking, rig.jobs()) == (HELLO, [])


async def test_without_a_lease(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A response whose lease Redis has lost is published while the gateway waits for it."""
    asking, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id), keys.started(claim.queue_name))
    await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asking == HELLO


async def test_after_a_cancel(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A response to a request that its gateway has cancelled is dropped, and the worker learns that."""
    asking, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id))
    asking.cancel()
    await until("it is marked as cancelled", lambda: bool(rig.redis.exists(keys.cancelled(claim.job_id))))
    result = await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 0)
    assert [dropped.claim for dropped in result.dropped] == [claim]
    assert not rig.redis.exists(keys.inbox(submitter.gateway_id))
    assert rig.lease(claim) is None


async def test_settlement_of_another_execution(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """The response of an execution that does not hold the job is dropped, and the job stays."""
    asking, claim = await rig.start(submitter, claimer)
    result = await claimer.publish_and_claim([OutgoingPart(claim._replace(execution_id="other"), HELLO)], 0)
    assert len(result.dropped) == 1
    assert rig.redis.exists(keys.job(claim.job_id))
    assert not asking.done()


async def test_settle_and_claim(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """One round trip settles what ended and claims what waits."""
    asking, claim = await rig.start(submitter, claimer)
    await rig.queue(submitter, Priority.LOW)
    result = await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 1)
    assert (len(result.claims), result.dropped) == (1, [])
    await until("the settled one is answered", asking.done)


async def test_redis_forgot_the_scripts(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A Redis that has lost its scripts settles and claims all the same."""
    asking, claim = await rig.start(submitter, claimer)
    await rig.queue(submitter, Priority.LOW)
    rig.redis.script_flush()
    result = await claimer.publish_and_claim([OutgoingPart(claim, HELLO)], 1)
    assert (len(result.claims), result.dropped) == (1, [])
    await until("the settled one is answered", asking.done)


def made_by_hand(gateway_id: str) -> Claim:
    return Claim("job", "execution", "low", gateway_id, b"")


async def test_answer_of_a_stock_worker(rig: Rig, submitter: Submitter) -> None:
    """The response of a stock rq worker reaches the gateway that asked."""
    asking = await rig.queue(submitter, Priority.LOW)
    (job_id,) = rig.ids(Priority.LOW)
    assert RqConnection(rig.redis).gateway_state(submitter.gateway_id) is GatewayState.ALIVE
    RqConnection(rig.redis).publish(submitter.gateway_id, job_id, HELLO)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asking == HELLO


async def test_answer_of_a_stock_worker_without_a_gateway(rig: Rig) -> None:
    """A stock rq worker writes nothing for a gateway that is gone."""
    note_run(rig.redis)
    assert not RqConnection(rig.redis).publish("gone", "job", HELLO)
    assert rig.all_keys() == [keys.REDIS_RUN]


async def test_job_of_no_gateway(rig: Rig, claimer: Consumer) -> None:
    """The settlement of a job that no gateway made publishes nothing."""
    result = await claimer.publish_and_claim([OutgoingPart(made_by_hand(""), HELLO)], 0)
    assert (len(result.dropped), rig.all_keys()) == (1, [])


async def test_a_streamed_answer(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """Head, chunks and end reach the gateway in order, even if Redis knows no script, and nothing is left."""
    asking, claim = await rig.start(submitter, claimer)
    rig.redis.script_flush()
    parts: list[Part] = [Head(200, [], "worker-1"), Chunk(0, memoryview(b"a")), Chunk(1, memoryview(b"b"))]
    await claimer.publish_and_claim(
        [*(OutgoingPart(claim, part, is_last=False) for part in parts), OutgoingPart(claim, End(2))], 0
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        stream = await asking
    assert isinstance(stream, Stream)
    assert [bytes(chunk) async for chunk in stream.chunks()] == [b"a", b"b"]
    stream.close()
    left = {
        keys.QUEUES,
        keys.DEPLOYMENT,
        keys.LEVELS,
        keys.gateway(submitter.gateway_id),
        keys.last_claim("worker-1", "turn"),
    }
    await until("nothing else is left", lambda: set(rig.all_keys()) == left)


async def test_an_end_without_an_answer(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """The end of a request whose client has left removes job and lease, and publishes nothing."""
    _, claim = await rig.start(submitter, claimer)
    result = await claimer.publish_and_claim([OutgoingPart(claim, None)], 0)
    assert (result.dropped, rig.jobs(), rig.lease(claim)) == ([], [], None)
    assert not rig.redis.exists(keys.inbox(submitter.gateway_id))


async def test_a_head_after_a_cancel(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A response that begins after its request was cancelled is dropped, and the worker learns that."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.set(keys.cancelled(claim.job_id), "1")
    late = OutgoingPart(claim, Head(200, [], "worker-1"), is_last=False)
    assert (await claimer.publish_and_claim([late], 0)).dropped == [late]
