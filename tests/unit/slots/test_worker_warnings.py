"""What a worker warns of: once in its log, and in its record."""

import asyncio
from typing import Any

import pytest
from fakeredis import FakeRedis
from rq.job import Job

from fast_priority.broker.consumer import Claim, RqConnection
from fast_priority.broker.other_versions import decode_warnings
from fast_priority.settings import Settings
from fast_priority.slots.dispatcher import Dispatcher
from fast_priority.slots.in_flight import InFlight
from fast_priority.slots.worker_warnings import WorkerWarnings
from fast_priority.support.elapsed import Moment

LONG = Moment(float("inf"), float("inf"), float("inf"))


@pytest.fixture
def warnings() -> WorkerWarnings:
    return WorkerWarnings("one")


def test_nothing(warnings: WorkerWarnings) -> None:
    """A worker that has found nothing wrong warns of nothing."""
    assert decode_warnings(warnings.as_field()) == []


def test_each_other_target_is_warned_of_once(warnings: WorkerWarnings, caplog: pytest.LogCaptureFixture) -> None:
    """Each target that jobs name and that is not the worker's own has one line in the log, and one in the record."""
    for other in ("http://b", "http://c", "http://b", "http://c/v1", "http://b"):
        warnings.note_other_target("http://a", other)
    assert [line.split()[2:7] for line in caplog.messages] == [
        ["requests", "for", other, "are", "sent"] for other in ("http://b", "http://c", "http://c/v1")
    ]
    found = decode_warnings(warnings.as_field())
    assert sorted(line.split()[2] for line in found) == ["http://b", "http://c", "http://c/v1"]
    assert all("http://a" in line and "FAST_PRIORITY_TARGET_BASE_URL" in line for line in found)


def test_the_targets_are_bounded(warnings: WorkerWarnings, caplog: pytest.LogCaptureFixture) -> None:
    """A hostile writer of jobs, with ever new, long or strange targets, fills neither log nor record."""
    for number in range(1000):
        warnings.note_other_target("http://a", f"http://{number}\n\x1b" + "x" * 10_000)
    assert len(caplog.messages) <= 40
    assert all(line.isprintable() and len(line) < 500 for line in caplog.messages)
    assert 0 < len(decode_warnings(warnings.as_field())) <= 10


@pytest.mark.parametrize("own", ["http://a/" + "x" * 5000, "http://a/" + "\u00fc" * 5000])
def test_a_long_address_of_its_own_hides_no_warning(warnings: WorkerWarnings, own: str) -> None:
    """However long the worker's own address is, gateways can read what it warns of."""
    warnings.note_other_target(own, "http://b/" + "\u00fc" * 5000)
    warnings.note_unreachable_target(own, "the certificate has expired" + "." * 5000)
    assert len(decode_warnings(warnings.as_field())) == 2


def test_a_target_that_cannot_be_reached_is_warned_of_once(
    warnings: WorkerWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that cannot connect to its target, as with wrong TLS files, says so once, and health has it."""
    for _ in range(3):
        warnings.note_unreachable_target("https://a", "TLS: its certificate is of an unknown authority")
    assert caplog.messages == [
        "Worker one: it could not connect to https://a: TLS: its certificate is of an unknown authority"
    ]
    (found,) = decode_warnings(warnings.as_field())
    assert found.startswith("it could not connect to https://a")


async def test_jobs_of_1x_are_refused_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """Jobs of fast-priority 1.x move to the failed registry, are not run, and are named once for each queue."""

    def ignore(_: Any) -> None:
        pass

    redis = FakeRedis()
    in_flight = InFlight(lambda claim: pytest.fail("nothing is sent"))
    dispatcher = Dispatcher("one", Settings.load(), RqConnection(redis), in_flight, publish=ignore, on_freed=ignore)
    data = Job.create("fast_priority.utils.run_request", kwargs={"method": "GET"}, connection=redis).to_dict()["data"]
    for number, queue in enumerate(["high", "low", "high", "low"]):
        dispatcher.start(Claim(f"job-{number}", "execution", queue, "", data), LONG)
    await asyncio.gather(*(request.task for request in in_flight if request.task is not None))
    await dispatcher.close()
    assert [line.split(": ")[1] for line in caplog.messages] == [
        f"a job of fast-priority 1.x is on queue {queue}" for queue in ("high", "low")
    ]
    assert len(decode_warnings(dispatcher.warnings.as_field())) == 2
    assert [redis.zcard(f"rq:failed:{queue}") for queue in ("high", "low")] == [2, 2]
