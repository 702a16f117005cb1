"""Jobs of a newer wire version: a worker leaves them on their queues, at their place, for a newer worker."""

import msgspec
import pytest

from fast_priority.broker import keys, times
from fast_priority.broker.consumer import Consumer, OutgoingPart
from fast_priority.broker.producer import Submitter
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from tests.redis_run import note_run
from tests.unit.broker_rig import HELLO, Rig, payloads

NEWER = WIRE_VERSION + 1


async def queue_versions(rig: Rig, submitter: Submitter, priority: Priority, versions: str) -> list[str]:
    """Queue a request for each letter: n of a newer version, o of our own. Return the ids."""
    for number, version in enumerate(versions):
        await rig.queue(submitter, priority, b"%d" % number, is_idempotent=True)
        if version == "n":
            set_version(rig, rig.ids(priority)[-1], NEWER)
    return rig.ids(priority)


def set_version(rig: Rig, job_id: str, version: object) -> None:
    rig.redis.hset(keys.job(job_id), "wire", str(version))


@pytest.mark.parametrize("priority", DEFAULT_LEVELS)
@pytest.mark.parametrize("versions", ["n", "on", "no", "nnon", "onnoonn"])
@pytest.mark.parametrize("slots", [1, 3, 9])
async def test_newer_jobs_stay_at_their_place(
    rig: Rig, submitter: Submitter, claimer: Consumer, priority: Priority, versions: str, slots: int
) -> None:
    """All jobs of our version are claimed, in their order, and those of a newer one stay in theirs."""
    ids = await queue_versions(rig, submitter, priority, versions)
    claimed = []
    for _ in versions:
        claimed += (await claimer.publish_and_claim([], slots)).claims
    by_version = {
        version: [each for each, its in zip(ids, versions, strict=True) if its == version] for version in "on"
    }
    assert [claim.job_id for claim in claimed] == by_version["o"]
    assert rig.ids(priority) == by_version["n"]


async def test_a_claim_sent_ahead_leaves_them_too(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A claim that was sent ahead leaves newer jobs, and those it may not take, in their order."""
    first = await queue_versions(rig, submitter, Priority.LOW, "no")
    await rig.queue(submitter, Priority.LOW, b"not to be repeated")
    await rig.queue(submitter, Priority.LOW, b"behind it", is_idempotent=True)
    result = await claimer.wait_and_claim(9)
    assert ([claim.job_id for claim in result.claims], result.work_remains) == ([first[1]], True)
    assert rig.payloads(Priority.LOW) == [b"0", b"not to be repeated", b"behind it"]


@pytest.mark.parametrize("lost", ["its gateway is gone", "another server queued it"])
async def test_newer_jobs_that_nobody_waits_for_are_removed(
    rig: Rig, submitter: Submitter, claimer: Consumer, lost: str
) -> None:
    """As many dead newer jobs as a claim passes over do not keep an older worker from the jobs behind them."""
    ids = await queue_versions(rig, submitter, Priority.LOW, "n" * times.MOST_PASSED_OVER + "o")
    for dead in ids[:-1]:
        rig.redis.hset(keys.job(dead), *(("gateway", "dead") if "gateway" in lost else ("server", "another")))
    claims = []
    for _ in ids:
        note_run(rig.redis)
        claims += (await claimer.publish_and_claim([], 4)).claims
    assert [claim.job_id for claim in claims] == ids[-1:]
    assert not any(rig.redis.exists(keys.job(dead)) for dead in ids[:-1])


async def test_nothing_of_a_newer_job_changes(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """The hash of a newer job and its time to live stay as they are."""
    (job_id,) = await queue_versions(rig, submitter, Priority.HIGH, "n")
    before = rig.redis.hgetall(keys.job(job_id))
    await claimer.publish_and_claim([], 1)
    assert rig.redis.hgetall(keys.job(job_id)) == before
    assert rig.redis.ttl(keys.job(job_id)) > times.LEASE_SECONDS


async def test_the_queue_of_newer_jobs_expires(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A queue from which all was taken and put back still has its time to live."""
    (job_id,) = await queue_versions(rig, submitter, Priority.HIGH, "n")
    await claimer.publish_and_claim([], 1)
    assert rig.redis.ttl(keys.queue(Priority.HIGH)) > rig.redis.ttl(keys.job(job_id))


async def test_a_newer_worker_takes_them_in_order(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """After many claims of an older worker, one that knows the version takes all in the order in which they came."""
    ids = await queue_versions(rig, submitter, Priority.HIGH, "nnnn")
    for _ in range(5):
        await claimer.publish_and_claim([], 3)
    for job_id in ids:
        set_version(rig, job_id, WIRE_VERSION)
    assert payloads((await claimer.publish_and_claim([], 4)).claims) == [b"0", b"1", b"2", b"3"]


async def test_newer_jobs_hold_back_no_other_queue(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """Newer jobs on high, however many, do not keep a worker from low."""
    for number in range(2 * times.MOST_PASSED_OVER):
        rig.redis.hset(keys.job(f"n{number}"), mapping={"data": b"", "status": "queued", "wire": NEWER})
        rig.redis.rpush(keys.queue(Priority.HIGH), f"n{number}")
    await rig.queue(submitter, Priority.LOW, b"low")
    assert payloads((await claimer.publish_and_claim([], 1)).claims) == [b"low"]
    assert rig.ids(Priority.HIGH) == [f"n{number}" for number in range(2 * times.MOST_PASSED_OVER)]


async def test_a_claim_looks_past_a_bounded_number(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """Behind fewer newer jobs than the bound a job is found; behind more it waits until some of them are gone."""
    most = times.MOST_PASSED_OVER
    for number in range(most):
        rig.redis.hset(keys.job(f"n{number}"), mapping={"data": b"", "status": "queued", "wire": NEWER})
        rig.redis.rpush(keys.queue(Priority.HIGH), f"n{number}")
    await rig.queue(submitter, Priority.HIGH, b"behind them")
    assert (await claimer.publish_and_claim([], 1)).claims == []
    rig.redis.lpop(keys.queue(Priority.HIGH))
    assert payloads((await claimer.publish_and_claim([], 1)).claims) == [b"behind them"]


@pytest.mark.parametrize("count", [1, times.MOST_PASSED_OVER + 1])
async def test_newer_jobs_wake_no_older_worker_again(
    rig: Rig, submitter: Submitter, claimer: Consumer, count: int
) -> None:
    """A claim that leaves newer jobs only leaves no new token: an idle older worker would take it for ever."""
    await queue_versions(rig, submitter, Priority.HIGH, "n" * count)
    rig.redis.delete(keys.WAKE_UP)
    await claimer.publish_and_claim([], 1)
    assert rig.tokens() == 0


async def test_older_work_behind_newer_jobs_leaves_a_token(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """If work is left that an older worker can take, there is a token for it."""
    await queue_versions(rig, submitter, Priority.HIGH, "noon")
    rig.redis.delete(keys.WAKE_UP)
    await claimer.publish_and_claim([], 1)
    assert rig.tokens() == 1


@pytest.mark.parametrize("version", [None, "", "0", "abc", "-7", "1.5", "99999", b"\xff"])
async def test_what_is_no_version_counts_as_version_1(
    rig: Rig, submitter: Submitter, claimer: Consumer, version: object
) -> None:
    """A job without a version, as earlier releases wrote it, or with something else in its place, is claimed."""
    await rig.queue(submitter, Priority.LOW)
    job = keys.job(rig.ids(Priority.LOW)[0])
    if version is None:
        rig.redis.hdel(job, "wire")
    else:
        rig.redis.hset(job, "wire", version)
    assert [claim.version for claim in (await claimer.publish_and_claim([], 1)).claims] == [1]


async def test_a_job_has_the_version_of_its_gateway(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """The job, its claim and the gateway's sign of life have the wire version of the release."""
    _, claim = await rig.start(submitter, claimer)
    assert claim.version == WIRE_VERSION
    assert rig.redis.hget(keys.job(claim.job_id), "wire") == str(WIRE_VERSION).encode()
    assert rig.redis.get(keys.gateway(submitter.gateway_id)) == str(WIRE_VERSION).encode()


async def test_a_worker_answers_in_the_version_of_the_job(rig: Rig, submitter: Submitter, claimer: Consumer) -> None:
    """A frame has the version of the job that it is about: an older gateway understands a newer worker."""
    _, claim = await rig.start(submitter, claimer)
    await claimer.publish_and_claim([OutgoingPart(claim._replace(gateway_id="another", version=7), HELLO)], 0)
    *_, version = msgspec.msgpack.decode(rig.redis.lpop(keys.inbox("another")))
    assert version == 7
