"""What health and log say of jobs and workers of other versions and programs."""

from typing import Any

import pytest

from fast_priority.broker import times
from fast_priority.broker.other_versions import (
    QueuedJob,
    WorkerRecord,
    about_unserved,
    decode_warnings,
    encode_warnings,
    warnings_of,
)
from fast_priority.protocol.wire_version import WIRE_VERSION

OF_1X = QueuedJob(None, None, b"fast_priority.utils.run_request(method='GET', url='http://api/x?')")


def of_version(version: int | None) -> QueuedJob:
    return QueuedJob(b"gateway", None if version is None else str(version).encode(), b"GET '/'")


def worker(name: str = "one", **fields: bytes | None) -> WorkerRecord:
    """Return the record of a live PriorityWorker with four slots, or one that differs from that."""
    ours: dict[str, Any] = dict.fromkeys(WorkerRecord._fields)
    ours |= {"birth": b"now", "slots": b"4", "wire": str(WIRE_VERSION).encode(), "rq_version": b"3.0.0"}
    return WorkerRecord(**{**ours, **fields, "key": f"rq:worker:{name}".encode()})


def stock(name: str = "stock", **fields: bytes | None) -> WorkerRecord:
    return worker(name, slots=None, **{"wire": None, **fields})


def about(*jobs: QueuedJob, workers: list[WorkerRecord] | None = None) -> list[str]:
    """Return the warnings for jobs that wait on low, with one PriorityWorker or with these workers."""
    return list(warnings_of({"high": [], "low": jobs}, [worker()] if workers is None else workers).values())


def test_nothing_is_wrong() -> None:
    """Jobs and workers of this release lead to no warning."""
    assert about(of_version(WIRE_VERSION), of_version(None)) == []


def test_jobs_for_a_newer_worker_are_counted() -> None:
    """Health says how many requests wait for a newer worker, for which version, and what the workers know."""
    found = about(of_version(WIRE_VERSION), of_version(WIRE_VERSION + 1), of_version(WIRE_VERSION + 2))
    assert found == [
        f"2 requests wait for a newer worker: wire version {WIRE_VERSION + 2}; this deployment's workers know up to "
        f"{WIRE_VERSION}"
    ]


def test_a_single_one() -> None:
    """One request is named as one."""
    assert about(of_version(WIRE_VERSION + 1))[0].startswith("1 request waits for a newer worker: ")


def test_as_many_as_a_claim_passes_over() -> None:
    """Where so many wait that a look does not see all, the number is a least number."""
    jobs = [of_version(WIRE_VERSION + 1)] * times.MOST_PASSED_OVER
    assert about(*jobs)[0].startswith(f"at least {times.MOST_PASSED_OVER} requests wait")


@pytest.mark.parametrize(
    "workers", [[worker(), worker("newer", wire=str(WIRE_VERSION + 1).encode())], [], [worker(death=b"now")]]
)
def test_no_warning_of_newer_jobs(workers: list[WorkerRecord]) -> None:
    """If a worker knows the version, the requests wait as others do. Without any worker, health says that."""
    assert about(of_version(WIRE_VERSION + 1), workers=workers) == []


def test_a_worker_of_an_earlier_release_knows_version_1() -> None:
    """A PriorityWorker without a version in its record knows version 1."""
    (found,) = about(of_version(2), workers=[worker(wire=None)])
    assert found.endswith("know up to 1")


@pytest.mark.parametrize("queue", ["high", "low"])
def test_a_job_of_1x_is_named_with_its_queue(queue: str) -> None:
    """A job of fast-priority 1.x is named once for each queue, however many wait."""
    found = warnings_of({"high": [], "low": [], queue: [of_version(1), OF_1X, OF_1X]}, [worker()])
    assert [text.partition(":")[0] for text in found.values()] == [f"a job of fast-priority 1.x is on queue {queue}"]


@pytest.mark.parametrize(
    "job",
    [
        OF_1X._replace(gateway=b"ours"),
        OF_1X._replace(description=b"GET '/fast_priority.utils.run_request('"),
        OF_1X._replace(description=b"another.function()"),
        OF_1X._replace(description=None),
    ],
)
def test_other_jobs_are_not_taken_for_it(job: QueuedJob) -> None:
    """A request of our gateways, or a job of another program, is not called one of 1.x."""
    assert about(job) == []


@pytest.mark.parametrize("rq_version", [b"2.1.0", b"3.0.0", None, b"\x1b[31m\n", b"9" * 1000])
def test_a_worker_of_rq_that_may_be_of_1x(rq_version: bytes | None) -> None:
    """A stock worker that has run no job of ours is named, with its rq and its failures, in one line."""
    (found,) = about(workers=[stock(rq_version=rq_version, failed=b"3")])
    assert found.startswith("worker stock is rq's own (rq ")
    assert "3 of its jobs have failed" in found
    assert (found.isprintable(), len(found) < 300) == (True, True)


@pytest.mark.parametrize("one", [stock(wire=b"1"), stock(death=b"now"), stock(birth=None)])
def test_a_stock_worker_that_is_no_trouble(one: WorkerRecord) -> None:
    """A stock worker that has run our code, or has ended, is not named."""
    assert about(workers=[one]) == []


def test_what_workers_warn_of() -> None:
    """What workers warn of is shown with their names, and what several of them say is shown once."""
    says = encode_warnings(["it rains", "it is cold"])
    found = about(workers=[worker(f"w{number}", warnings=says) for number in range(5)])
    assert found == [f"{text} (said by workers w0, w1, w2 and 2 more)" for text in ("it rains", "it is cold")]


def test_all_warnings_are_bounded() -> None:
    """However many workers there are, and whatever they say, the number of warnings is bounded."""
    many = [f"warning {number}" for number in range(100)]
    workers = [worker(f"w{number}", warnings=encode_warnings(many[number:])) for number in range(50)]
    assert len(about(*[OF_1X] * 64, workers=workers + [stock(f"s{number}") for number in range(50)])) <= 20


@pytest.mark.parametrize(
    "field",
    [None, b"", b"[", b"{}", b'["a", 1]', b'["two\\nlines"]', b"\xff", b"[" * 5000, b'["' + b"a" * 1001 + b'"]',
     b'["a",' * 5000 + b'"a"' + b"]" * 5000],
)  # fmt: skip
def test_a_field_that_is_no_list_of_warnings(field: bytes | None) -> None:
    """What a hostile writer puts in place of warnings is no warning, and no error."""
    assert decode_warnings(field) == []


def test_the_name_of_a_worker_is_one_line() -> None:
    """A name that cannot stand in a log is escaped and cut."""
    name = worker("a\n" + "b" * 1000).name
    assert (name[:4], len(name) < 100) == ("a\\nb", True)


@pytest.mark.parametrize(
    ("waiting", "served", "expected"),
    [
        ([1, 2, 3], [True, False, True], ["unserved normal"]),
        ([1, 2, 3], [True, False, False], ["unserved normal", "unserved low"]),
        ([0, 2, 3], [False, True, True], []),
        ([1, 2, 3], [True, True, True], []),
        ([1, 2, 3], [False, False, False], []),
    ],
)
def test_a_level_that_no_worker_serves(waiting: list[int], served: list[bool], expected: list[str]) -> None:
    """Requests that wait where no live worker looks are warned of, unless there is no worker at all."""
    found = about_unserved(["high", "normal", "low"], waiting, served)
    assert list(found) == expected
    assert all("`rq worker high normal low`" in text for text in found.values())
