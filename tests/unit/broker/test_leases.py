"""Leases: renewed while a worker lives, taken out anew after a Redis that lost them, given up when they are over."""

import time

import pytest
from redis.exceptions import ConnectionError

from fast_priority.broker import keys
from fast_priority.broker.consumer import Consumer, Leases
from fast_priority.broker.producer import Submitter
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig

RECORD = {"birth": "now", "slots": 3}


async def test_renewed(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A worker that shows life keeps its requests: lease and job are good for the whole time again."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.zadd(keys.started(claim.queue_name), {f"{claim.job_id}:{claim.execution_id}": 1})
    rig.redis.expire(keys.job(claim.job_id), 1)
    renewal = await leases.renew(RECORD, [claim])
    assert (renewal.held, renewal.gone, renewal.over) == ([claim], [], [])
    lease = rig.lease(claim)
    assert lease is not None
    assert lease >= rig.redis.time()[0] + keys.LEASE_SECONDS - 1
    assert rig.redis.pttl(keys.job(claim.job_id)) > 1000


async def test_good_no_longer_than_it_is(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """How long a lease is good is counted from before it was asked for, so never too long."""
    _, claim = await rig.start(submitter, claimer)
    before = time.monotonic()
    renewal = await leases.renew(RECORD, [claim])
    assert before <= renewal.since.monotonic <= time.monotonic()


async def test_gone(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A worker learns which of its leases Redis no longer knows, and nothing is made of them unasked."""
    _, lost = await rig.start(submitter, claimer)
    _, held = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(lost.job_id))
    renewal = await leases.renew(RECORD, [lost, held])
    assert (renewal.held, renewal.gone, renewal.over) == ([held], [lost], [])
    assert not rig.redis.exists(keys.job(lost.job_id))


async def test_taken_out_anew(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """What a Redis that came back empty knows nothing of is leased again, and its job expires like any other."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id), keys.started(claim.queue_name))
    assert (await leases.renew(RECORD, [claim], restore=True)).held == [claim]
    job = rig.redis.hgetall(keys.job(claim.job_id))
    assert (job[b"status"], job[b"worker_name"]) == (b"started", b"worker-1")
    assert 0 < rig.redis.pttl(keys.job(claim.job_id)) <= keys.LEASE_MILLISECONDS
    assert rig.lease(claim) is not None


async def test_over(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A request that its gateway has given up is not leased again: the worker learns that it is over."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.delete(keys.job(claim.job_id))
    rig.redis.set(keys.cancelled(claim.job_id), "1")
    assert (await leases.renew(RECORD, [claim], restore=True)).over == [claim]
    assert (rig.jobs(), rig.lease(claim)) == ([], None)


async def test_taken_away(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """A request that somebody took out of the started registry is over, and its job's time is not prolonged."""
    _, claim = await rig.start(submitter, claimer)
    rig.redis.zrem(keys.started(claim.queue_name), f"{claim.job_id}:{claim.execution_id}")
    rig.redis.persist(keys.job(claim.job_id))
    assert (await leases.renew(RECORD, [claim])).over == [claim]
    assert rig.redis.ttl(keys.job(claim.job_id)) == -1


async def test_gone_gateway(rig: Rig, claimer: Consumer, leases: Leases) -> None:
    """A worker learns that the gateway that asked is gone: its call is nobody's any more, and its job is removed."""
    async with Submitter(Settings.load()) as submitter:
        _, claim = await rig.start(submitter, claimer)
        rig.redis.delete(keys.gateway(submitter.gateway_id))
        assert (await leases.renew(RECORD, [claim])).over == [claim]
        assert (rig.jobs(), rig.lease(claim)) == ([], None)
        await rig.let_go()


async def test_a_gateway_may_be_late(rig: Rig, submitter: Submitter, claimer: Consumer, leases: Leases) -> None:
    """After a Redis that was away, a gateway that has not shown life yet is not taken for gone."""
    _, claim = await rig.start(submitter, claimer)
    rig.server.connected = False
    with pytest.raises(ConnectionError):
        await leases.renew(RECORD, [claim])
    rig.server.connected = True
    rig.redis.delete(keys.gateway(submitter.gateway_id))
    assert (await leases.renew(RECORD, [claim])).held == [claim]


async def test_sign_of_life(rig: Rig, leases: Leases) -> None:
    """A worker's record is written whole, expires without further signs, and is registered for both queues."""
    await leases.renew(RECORD, [])
    record = keys.WORKER_PREFIX + "worker-1"
    fields = rig.redis.hgetall(record)
    assert (fields[b"birth"], fields[b"slots"], b"last_heartbeat" in fields) == (b"now", b"3", True)
    assert rig.redis.ttl(record) > 0
    for register in (keys.WORKERS, keys.workers_of("high"), keys.workers_of("low")):
        assert rig.redis.smembers(register) == {record.encode()}
