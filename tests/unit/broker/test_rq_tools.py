"""rq's own tools see our requests as jobs like any other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry
from rq.suspension import resume, suspend

from fast_priority.broker.consumer import Consumer
from fast_priority.broker.jobs import FORWARD, payload_of
from fast_priority.broker.producer import Submitter
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from tests.unit.broker_rig import Rig, until


async def fetched(rig: Rig, submitter: Submitter) -> Job:
    await rig.queue(submitter, Priority.LOW, b"payload")
    (job_id,) = rig.ids(Priority.LOW)
    return Job.fetch(job_id, connection=rig.redis)


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (lambda job: job.func_name, FORWARD),
        (lambda job: job.args, (b"payload",)),
        (lambda job: job.kwargs, {}),
        (lambda job: job.instance, None),
        (lambda job: job.timeout, -1),
        (lambda job: job.ttl, 300),
        (lambda job: job.result_ttl, 0),
        (lambda job: job.failure_ttl, 86_400),
        (lambda job: job.description, "GET /somewhere"),
        (lambda job: job.origin, "low"),
        (lambda job: job.get_status(), JobStatus.QUEUED),
        (lambda job: job.dependency_ids, []),
    ],
    ids=[
        "function", "arguments", "keywords", "instance", "timeout", "ttl", "result_ttl", "failure_ttl",
        "description", "origin", "status", "dependencies",
    ],
)  # fmt: skip
async def test_job_as_rq_fetches_it(
    rig: Rig, submitter: Submitter, look: Callable[[Job], Any], expected: object
) -> None:
    """rq's Job.fetch reads a request as an ordinary job for the one function."""
    assert look(await fetched(rig, submitter)) == expected


async def test_times(rig: Rig, submitter: Submitter) -> None:
    """rq reads when a request was made and queued, in UTC."""
    job = await fetched(rig, submitter)
    assert job.enqueued_at == job.created_at
    assert timedelta(0) <= datetime.now(UTC) - job.created_at.replace(tzinfo=UTC) < timedelta(minutes=1)


async def test_ttl_follows_the_settings(rig: Rig) -> None:
    """The job's ttl is FAST_PRIORITY_TTL."""
    async with Submitter(Settings.load(ttl=7)) as submitter:
        assert (await fetched(rig, submitter)).ttl == 7
        await rig.let_go()


async def test_queues(rig: Rig, submitter: Submitter) -> None:
    """`rq info` finds both queues as soon as a gateway runs, and how much waits on each."""
    await until("the gateway has named the queues", lambda: len(Queue.all(connection=rig.redis)) == 2)
    await rig.queue(submitter, Priority.LOW)
    found = {queue.name: queue.count for queue in Queue.all(connection=rig.redis)}
    assert found == {"high": 0, "low": 1}


async def test_started_registry(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """rq's started registry names what the workers have in flight."""
    _, claim = await rig.start(submitter, claimer)
    assert StartedJobRegistry(claim.queue_name, connection=rig.redis).get_job_ids(cleanup=False) == [claim.job_id]


async def test_started_job(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """rq reads which worker started a request, and when."""
    _, claim = await rig.start(submitter, claimer)
    job = Job.fetch(claim.job_id, connection=rig.redis)
    assert (job.get_status(), job.worker_name) == (JobStatus.STARTED, "worker-1")
    assert job.started_at is not None
    assert job.last_heartbeat is not None


async def test_suspend_and_resume(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """rq's suspend holds our workers back, and its resume ends that."""
    await rig.queue(submitter, Priority.HIGH)
    suspend(rig.redis)
    held = await claimer.publish_and_claim([], 1)
    resume(rig.redis)
    let_go = await claimer.publish_and_claim([], 1)
    assert (held.suspended, len(held.claims), len(let_go.claims)) == (True, 0, 1)


async def test_cancelled_by_rq(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A request that was cancelled with rq is not sent."""
    job = await fetched(rig, submitter)
    job.cancel()
    assert (await claimer.publish_and_claim([], 1)).claims == []


async def test_written_by_rq_itself(rig: Rig, claimer: Consumer) -> None:
    """A call that rq itself enqueued, compressed as rq writes it, is claimed and read."""
    Queue("low", connection=rig.redis).enqueue(FORWARD, b"payload")
    (claim,) = (await claimer.publish_and_claim([], 1)).claims
    assert claim.data[:1] == b"\x78"  # zlib's
    assert payload_of(claim.data, 1024) == b"payload"
