"""Leases and settlements: each request is answered once, by the worker whose lease holds."""

import asyncio

import pytest

from fast_priority.broker import keys
from fast_priority.broker.claiming import Claim, Claimer, Saying, say_directly, somebody_waits
from fast_priority.broker.streaming import Stream
from fast_priority.broker.submitting import Submitter
from fast_priority.message import Chunk, End, Failure, Head, Part, Reply
from fast_priority.priority import Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import HELLO, PATIENCE_SECONDS, Rig, until


@pytest.mark.parametrize("outcome", [HELLO, Reply(204, [], b""), Failure("target-refused", "nothing listens")])
async def test_settled(rig: Rig, submitter: Submitter, claimer: Claimer, outcome: Reply | Failure) -> None:
    """What the worker settles a request with is what the gateway that asked gets."""
    asking, claim = await rig.start(submitter, claimer)
    turn = await claimer.take_turn([Saying(claim, outcome)], 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await asking, turn.dropped) == (outcome, [])


async def test_nothing_is_left(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """After a request was answered, nothing of it is in Redis but, for some seconds, its id as the last one claimed."""
    asking, claim = await rig.start(submitter, claimer)
    await claimer.take_turn([Saying(claim, HELLO)], 0)
    await until("it is answered", asking.done)
    assert set(rig.all_keys()) == {keys.QUEUES, keys.gateway(submitter.gateway_id), keys.last_claim("worker-1")}


async def test_settled_twice(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """Settling again, as after an answer of Redis that was lost, delivers nothing more."""
    _, claim = await rig.start(submitter, claimer)
    settlement = Saying(claim, HELLO)
    first = await claimer.take_turn([settlement], 0)
    second = await claimer.take_turn([settlement], 0)
    assert (first.dropped, second.dropped) == ([], [settlement])
    await until("the inbox is read", lambda: not rig.redis.llen(keys.inbox(submitter.gateway_id)))


async def test_settled_twice_at_once(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """The same settlement twice in one round trip delivers once."""
    asking, claim = await rig.start(submitter, claimer)
    settlement = Saying(claim, HELLO)
    turn = await claimer.take_turn([settlement, Saying(claim, Failure("internal-error", ""))], 0)
    assert len(turn.dropped) == 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asking == HELLO


async def test_late_settlement(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """An answer that comes after the lease ran out, and the job with it, is dropped."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id))
    turn = await claimer.take_turn([Saying(claim, HELLO)], 0)
    assert [dropped.claim for dropped in turn.dropped] == [claim]
    assert not rig.redis.exists(keys.inbox(submitter.gateway_id))
    assert rig.lease(claim) is None


async def test_settlement_of_another_execution(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """An answer of an execution that is not the one that was started is dropped, and the job stays."""
    asking, claim = await rig.start(submitter, claimer)
    turn = await claimer.take_turn([Saying(claim._replace(execution_id="other"), HELLO)], 0)
    assert len(turn.dropped) == 1
    assert rig.redis.exists(keys.job(claim.job_id))
    assert not asking.done()


async def test_settlement_for_a_gone_gateway(rig: Rig, claimer: Claimer) -> None:
    """An answer for a gateway that is gone is dropped, and the job removed all the same."""
    async with Submitter(Settings.load()) as submitter:
        _, claim = await rig.start(submitter, claimer)
        rig.redis.delete(keys.gateway(submitter.gateway_id))
        turn = await claimer.take_turn([Saying(claim, HELLO)], 0)
        assert len(turn.dropped) == 1
        assert rig.jobs() == []
        assert not rig.redis.exists(keys.inbox(submitter.gateway_id))
        await rig.let_go()


async def test_settle_and_claim(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """One turn settles what ended and claims what waits."""
    asking, claim = await rig.start(submitter, claimer)
    await rig.queue(submitter, Priority.LOW)
    turn = await claimer.take_turn([Saying(claim, HELLO)], 1)
    assert (len(turn.claims), turn.dropped) == (1, [])
    await until("the settled one is answered", asking.done)


async def test_redis_forgot_the_scripts(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """A turn at a Redis that has lost its scripts settles and claims all the same."""
    asking, claim = await rig.start(submitter, claimer)
    await rig.queue(submitter, Priority.LOW)
    rig.redis.script_flush()
    turn = await claimer.take_turn([Saying(claim, HELLO)], 1)
    assert (len(turn.claims), turn.dropped) == (1, [])
    await until("the settled one is answered", asking.done)


async def test_lease_renewed(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """A worker that shows life keeps its requests: lease and job are good for the whole time again."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.zadd(keys.started(claim.queue_name), {f"{claim.job_id}:{claim.execution_id}": 1})
    rig.redis.expire(keys.job(claim.job_id), 1)
    assert await claimer.show_life({"birth": "now"}, [claim]) == []
    lease = rig.lease(claim)
    assert lease is not None
    assert lease >= rig.redis.time()[0] + keys.LEASE_SECONDS - 1
    assert rig.redis.pttl(keys.job(claim.job_id)) > 1000


async def test_lease_lost(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """A worker learns which of its requests are no longer its own, and their leases are gone."""
    _, lost = await rig.start(submitter, claimer)
    _, held = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(lost.job_id))
    assert await claimer.show_life({"birth": "now"}, [lost, held]) == [lost]
    assert (rig.lease(lost), rig.lease(held) is None) == (None, False)


async def test_lease_taken_away(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """A request that somebody took out of the started registry is lost, and its job's time is not prolonged."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.zrem(keys.started(claim.queue_name), f"{claim.job_id}:{claim.execution_id}")
    rig.redis.persist(keys.job(claim.job_id))
    assert await claimer.show_life({"birth": "now"}, [claim]) == [claim]
    assert rig.redis.ttl(keys.job(claim.job_id)) == -1


async def test_sign_of_life(rig: Rig, claimer: Claimer) -> None:
    """A worker's record is written whole, expires without further signs, and is registered for both queues."""
    await claimer.show_life({"birth": "now", "slots": 3}, [])
    record = keys.WORKER_PREFIX + "worker-1"
    fields = rig.redis.hgetall(record)
    assert (fields[b"birth"], fields[b"slots"], b"last_heartbeat" in fields) == (b"now", b"3", True)
    assert rig.redis.ttl(record) > 0
    for register in (keys.WORKERS, keys.workers_of("high"), keys.workers_of("low")):
        assert rig.redis.smembers(register) == {record.encode()}


def made_by_hand(gateway_id: str) -> Claim:
    return Claim("job", "execution", "low", gateway_id, b"")


async def test_answer_of_a_stock_worker(rig: Rig, submitter: Submitter) -> None:
    """A stock rq worker's answer reaches the gateway that asked."""
    asking = await rig.queue(submitter, Priority.LOW)
    (job_id,) = rig.ids(Priority.LOW)
    assert somebody_waits(rig.redis, submitter.gateway_id)
    say_directly(rig.redis, submitter.gateway_id, job_id, HELLO)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asking == HELLO


async def test_answer_of_a_stock_worker_for_nobody(rig: Rig) -> None:
    """A stock rq worker writes nothing for a gateway that is gone."""
    say_directly(rig.redis, "gone", "job", HELLO)
    assert rig.all_keys() == []


async def test_job_of_no_gateway(rig: Rig, claimer: Claimer) -> None:
    """Settling a job that no gateway made writes no answer."""
    turn = await claimer.take_turn([Saying(made_by_hand(""), HELLO)], 0)
    assert (len(turn.dropped), rig.all_keys()) == (1, [])


async def test_a_streamed_answer(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """Head, chunks and end reach the gateway in order, even if Redis knows no script, and then nothing is left."""
    asking, claim = await rig.start(submitter, claimer)
    rig.redis.script_flush()
    parts: list[Part] = [Head(200, [], "worker-1"), Chunk(0, memoryview(b"a")), Chunk(1, memoryview(b"b"))]
    await claimer.take_turn([*(Saying(claim, part, is_last=False) for part in parts), Saying(claim, End(2))], 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        stream = await asking
    assert isinstance(stream, Stream)
    assert [bytes(chunk) async for chunk in stream.chunks()] == [b"a", b"b"]
    stream.close()
    assert set(rig.all_keys()) == {keys.QUEUES, keys.gateway(submitter.gateway_id), keys.last_claim("worker-1")}


async def test_an_end_without_an_answer(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """The end of a request whose client has left takes its job and its lease along, and tells nobody anything."""
    _, claim = await rig.start(submitter, claimer)
    turn = await claimer.take_turn([Saying(claim, None)], 0)
    assert (turn.dropped, rig.jobs(), rig.lease(claim)) == ([], [], None)
    assert not rig.redis.exists(keys.inbox(submitter.gateway_id))


async def test_a_head_after_the_lease_ran_out(rig: Rig, submitter: Submitter, claimer: Claimer) -> None:
    """A response that begins after the lease was lost is dropped, and its worker is told."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id))
    late = Saying(claim, Head(200, [], "worker-1"), is_last=False)
    assert (await claimer.take_turn([late], 0)).dropped == [late]


async def test_lease_of_a_gone_gateway(rig: Rig, claimer: Claimer) -> None:
    """A worker learns that the gateway that asked is gone: its call is nobody's any more, and its job is removed."""
    async with Submitter(Settings.load()) as submitter:
        _, claim = await rig.start(submitter, claimer)
        rig.redis.delete(keys.gateway(submitter.gateway_id))
        assert await claimer.show_life({"birth": "now"}, [claim]) == [claim]
        assert (rig.jobs(), rig.lease(claim)) == ([], None)
        await rig.let_go()
