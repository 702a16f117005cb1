"""Claimed jobs that are not ours: they go to rq's failed registry, with the reason."""

import time
from typing import Any

from redis import Redis as SyncRedis
from rq.job import Job, JobStatus
from rq.results import Result

from fast_priority.broker import keys, times
from fast_priority.broker.jobs import Claim, WriteOnlySerializer


def refuse(pipeline: Any, claim: Claim, reason: str) -> None:
    """Add the commands that move a job to the failed registry to a pipeline of redis-py, asyncio's or not.

    The hash of the job is not read, because nothing in it can be trusted.
    """
    key, registry = keys.job(claim.job_id), keys.failed(claim.queue_name)
    pipeline.zrem(keys.started(claim.queue_name), f"{claim.job_id}:{claim.execution_id}")
    pipeline.hset(key, mapping={"status": JobStatus.FAILED.value, "forwarded": "1"})
    pipeline.expire(key, times.FAILED_TTL_SECONDS)
    pipeline.zadd(registry, {claim.job_id: time.time() + times.FAILED_TTL_SECONDS})
    pipeline.expire(registry, times.FAILED_TTL_SECONDS)
    job = Job(claim.job_id, connection=SyncRedis(), serializer=WriteOnlySerializer)  # nothing is sent on it
    Result.create_failure(job, times.FAILED_TTL_SECONDS, exc_string=reason, pipeline=pipeline)
