"""Jobs on our queues that no gateway made: refused, kept with the reason, and never run."""

import pickle
import time
from typing import Any

import pytest
from fakeredis import FakeRedis
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.results import Result

from fast_priority.broker import keys, times
from fast_priority.broker.consumer import Claim, Consumer, RqConnection
from fast_priority.broker.jobs import FORWARD, NotOurJob, WriteOnlySerializer, payload_of
from tests.unit.broker_rig import Rig

REASON = "its pickle names os.system, and no names are taken"


class RunsCode:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a job's pickle was executed",)


async def claim_of(rig: Rig, claimer: Consumer, job_id: str, data: bytes, queue: str = "low") -> Claim:
    rig.redis.hset(keys.job(job_id), mapping={"data": data, "status": "queued", "origin": queue})
    rig.redis.rpush(f"rq:queue:{queue}", job_id)
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    return claim


async def test_pickle_that_names_code(rig: Rig, claimer: Consumer) -> None:
    """A job whose pickle names code is refused before any of it runs, and the reason has the name."""
    claim = await claim_of(rig, claimer, "job", pickle.dumps((FORWARD, None, (RunsCode(),), {})))
    with pytest.raises(NotOurJob, match="names _pytest"):
        payload_of(claim.data, 1024)


async def test_another_apps_job(rig: Rig, claimer: Consumer) -> None:
    """A job of another program is claimed without a gateway, and its function is not run."""
    Queue("high", connection=rig.redis).enqueue("pytest.fail", "an rq job was run")
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    assert claim.gateway_id == ""
    with pytest.raises(NotOurJob, match=r"pytest\.fail"):
        payload_of(claim.data, 1024)


async def test_failed_registry(rig: Rig, claimer: Consumer) -> None:
    """A refused job is in the failed registry of its queue, where rq's tools show it."""
    RqConnection(rig.redis).refuse(await claim_of(rig, claimer, "job", b"x"), REASON)
    assert FailedJobRegistry("low", connection=rig.redis).get_job_ids() == ["job"]
    assert FailedJobRegistry("high", connection=rig.redis).get_job_ids() == []


async def test_reason(rig: Rig, claimer: Consumer) -> None:
    """rq has the reason as the latest result of the job."""
    RqConnection(rig.redis).refuse(await claim_of(rig, claimer, "job", b"x"), REASON)
    job = Job("job", connection=rig.redis, serializer=WriteOnlySerializer)
    result = Result.fetch_latest(job)
    assert result is not None
    assert (result.type, result.exc_string) == (Result.Type.FAILED, REASON)


async def test_status(rig: Rig, claimer: Consumer) -> None:
    """rq sees a refused job as failed; its other fields do not change."""
    RqConnection(rig.redis).refuse(await claim_of(rig, claimer, "job", b"its data"), REASON)
    job = rig.redis.hgetall(keys.job("job"))
    assert (job[b"status"], job[b"data"]) == (b"failed", b"its data")


async def test_no_longer_started(rig: Rig, claimer: Consumer) -> None:
    """A refused job has no lease."""
    claim = await claim_of(rig, claimer, "job", b"x")
    RqConnection(rig.redis).refuse(claim, REASON)
    assert rig.lease(claim) is None


async def test_kept_for_a_day(rig: Rig, claimer: Consumer) -> None:
    """Everything that is kept of a refused job expires."""
    RqConnection(rig.redis).refuse(await claim_of(rig, claimer, "job", b"x"), REASON)
    kept = set(rig.all_keys()) - set(rig.all_keys("rq:queue*"))
    assert {keys.job("job"), keys.failed("low")} <= kept
    assert all(0 < rig.redis.ttl(key) <= times.FAILED_TTL_SECONDS for key in kept)
    score = rig.redis.zscore(keys.failed("low"), "job")
    assert score is not None
    assert score > time.time()


@pytest.mark.parametrize("job_id", [b"a job", b"job:1", b"../job", "jöb".encode(), b"job\n", b"\xff"])
async def test_id_that_rq_does_not_accept(rig: Rig, claimer: Consumer, job_id: bytes) -> None:
    """A job whose id rq's tools do not accept, or that is not text, is removed and not claimed."""
    rig.redis.hset(b"rq:job:" + job_id, mapping={"data": b"x", "status": "queued"})
    rig.redis.rpush("rq:queue:low", job_id)
    assert (await claimer.publish_and_claim([], 1)).claims == []
    assert rig.redis.keys("rq:job:*") == []


async def test_refused_again(rig: Rig, claimer: Consumer) -> None:
    """A second refusal, after a lost answer, does no harm."""
    claim = await claim_of(rig, claimer, "job", b"x")
    RqConnection(rig.redis).refuse(claim, REASON)
    RqConnection(rig.redis).refuse(claim, REASON)
    assert FailedJobRegistry("low", connection=rig.redis).get_job_ids() == ["job"]


async def test_redis_lost_the_job(rig: Rig, claimer: Consumer) -> None:
    """The refusal of a job that has expired leaves no key without a TTL."""
    claim = await claim_of(rig, claimer, "job", b"x")
    rig.redis.flushall()
    RqConnection(rig.redis).refuse(claim, REASON)
    assert all(rig.redis.ttl(key) > 0 for key in rig.all_keys())


def test_sync_client_of_the_rig_shares_the_server(rig: Rig) -> None:
    """All clients of the fake Redis see the same data."""
    rig.redis.set("key", "value")
    assert FakeRedis(server=rig.server).get("key") == b"value"
