"""Leases: renewed while a worker lives, restored after Redis has lost them, ended when their request is over."""

import time

import pytest
from redis.exceptions import ConnectionError

from fast_priority.broker import keys, times
from fast_priority.broker.consumer import Consumer, Leases
from fast_priority.broker.producer import Submitter
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig

RECORD = {"birth": "now", "slots": 3}


async def test_renewed(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A live worker keeps its requests: lease and job last for the whole time again."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.zadd(keys.started(claim.queue_name), {f"{claim.job_id}:{claim.execution_id}": 1})
    rig.redis.expire(keys.job(claim.job_id), 1)
    renewal = await leases.renew(RECORD, [claim])
    assert (renewal.held, renewal.gone, renewal.over) == ([claim], [], [])
    lease = rig.lease(claim)
    assert lease is not None
    assert lease >= rig.redis.time()[0] + times.LEASE_SECONDS - 1
    assert rig.redis.pttl(keys.job(claim.job_id)) > 1000


async def test_a_lease_counts_from_its_request(
    rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases
) -> None:
    """The time of a lease counts from before it was requested, so it is never taken for longer than it is."""
    _, claim = await rig.start(submitter, claimer)
    before = time.monotonic()
    renewal = await leases.renew(RECORD, [claim])
    assert before <= renewal.since.monotonic <= time.monotonic()


async def test_a_job_that_no_gateway_made(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A job of somebody else keeps its lease and its hash until it is refused: its reason would be lost with them."""
    await rig.queue(submitter, Priority.LOW)
    rig.redis.hdel(keys.job(rig.ids(Priority.LOW)[0]), "gateway")
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    assert claim.gateway_id == ""
    assert (await leases.renew(RECORD, [claim])).held == [claim]
    assert rig.redis.exists(keys.job(claim.job_id))


async def test_gone(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A worker learns which of its leases Redis does not know, and they are not restored without a request."""
    _, lost = await rig.start(submitter, claimer)
    _, held = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(lost.job_id))
    renewal = await leases.renew(RECORD, [lost, held])
    assert (renewal.held, renewal.gone, renewal.over) == ([held], [lost], [])
    assert not rig.redis.exists(keys.job(lost.job_id))


async def test_restored(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A lease that a Redis without data has lost is restored on request, and its job expires as any other."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id), keys.started(claim.queue_name))
    assert (await leases.renew(RECORD, [claim], restore=True)).held == [claim]
    job = rig.redis.hgetall(keys.job(claim.job_id))
    assert (job[b"status"], job[b"worker_name"]) == (b"started", b"worker-1")
    assert 0 < rig.redis.pttl(keys.job(claim.job_id)) <= times.LEASE_MILLISECONDS
    assert rig.lease(claim) is not None


async def test_cancelled(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A request that its gateway has cancelled is not leased again: the worker learns that it is over."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id))
    rig.redis.set(keys.cancelled(claim.job_id), "1")
    assert (await leases.renew(RECORD, [claim], restore=True)).over == [claim]
    assert (rig.jobs(), rig.lease(claim)) == ([], None)


async def test_removed_by_hand(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A request that a person removed from the started registry is over, and the TTL of its job does not change."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.zrem(keys.started(claim.queue_name), f"{claim.job_id}:{claim.execution_id}")
    rig.redis.persist(keys.job(claim.job_id))
    assert (await leases.renew(RECORD, [claim])).over == [claim]
    assert rig.redis.ttl(keys.job(claim.job_id)) == -1


async def test_gone_gateway(rig: Rig, claimer: Consumer, leases: Leases) -> None:
    """A worker learns that the gateway of a request is gone, and the job is removed."""
    async with Submitter(Settings.load()) as submitter:
        _, claim = await rig.start(submitter, claimer)
        await rig.end_sign_of_life(submitter)
        assert (await leases.renew(RECORD, [claim])).over == [claim]
        assert (rig.jobs(), rig.lease(claim)) == ([], None)
        await rig.let_go()


async def test_a_gateway_may_be_late(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """After its worker was cut off from Redis, a gateway without a sign of life does not count as gone at once."""
    _, claim = await rig.start(submitter, claimer)
    rig.server.connected = False
    with pytest.raises(ConnectionError):
        await leases.renew(RECORD, [claim])
    rig.server.connected = True
    await rig.end_sign_of_life(submitter)
    assert (await leases.renew(RECORD, [claim])).held == [claim]


async def test_sign_of_life(rig: Rig, leases: Leases) -> None:
    """The whole record of a worker is written, it expires without a renewal, and it is registered for both queues."""
    await leases.renew(RECORD, [])
    record = keys.WORKER_PREFIX + "worker-1"
    fields = rig.redis.hgetall(record)
    assert (fields[b"birth"], fields[b"slots"], b"last_heartbeat" in fields) == (b"now", b"3", True)
    assert rig.redis.ttl(record) > 0
    for register in (keys.WORKERS, keys.workers_of("high"), keys.workers_of("low")):
        assert rig.redis.smembers(register) == {record.encode()}


async def test_a_worker_is_registered_for_the_levels_in_force(rig: Rig, leases: Leases) -> None:
    """A renewal registers the worker for each level that is served, and for no other, and notes which they are."""
    for served in ("high normal low", "high low batch"):
        rig.redis.hset(keys.LEVELS, mapping={"levels": served, "served": served, "change": 0})
        await leases.renew({"birth": "now"}, [])
        registers = {key.decode().removeprefix("rq:workers:") for key in rig.redis.keys("rq:workers:*")}
        assert (registers, list(leases._known.current.names)) == (set(served.split()), served.split())
