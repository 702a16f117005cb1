"""Gateways and workers of different releases, of fast-priority 1.x, and of other programs, on one Redis."""

from dataclasses import replace
from pathlib import Path

import pytest
from rq import Queue
from rq.job import Job

from fast_priority.local.child_processes import (
    ChildProcess,
    gateway_process,
    running,
    wait_until_answers,
    worker_process,
)
from fast_priority.protocol.wire_version import WIRE_VERSION
from tests.harness import Background, Stack, problem_of, wait_until

OTHER_RELEASE = str(Path(__file__).parent.parent / "doubles" / "other_release.py")
NEWER = WIRE_VERSION + 1
BODY = b"x" * 300_000


def as_release(child: ChildProcess, wire: int, package: str = "2.9.9") -> ChildProcess:
    """Return the process as one of another release. It has to be executed: a fork has imported this release."""
    module = child.arguments[1:]  # without -m
    return replace(child, arguments=(OTHER_RELEASE, str(wire), package, *module))


def start_gateway(stack: Stack, wire: int, package: str = "2.9.9") -> None:
    environment = {"FAST_PRIORITY_PRIO_BASE_PATHS": "low"}
    child = gateway_process(stack.mock_url, "127.0.0.1", stack.gateway_port, stack.redis_port, **environment)
    started = stack.start(as_release(child, wire, package), running)
    wait_until_answers(started, "gateway", f"{stack.url}/gateway_health/live", 60)


def start_worker(stack: Stack, wire: int, package: str = "2.9.9") -> None:
    before = stack.health()["workers"]
    stack.start(as_release(worker_process(1, 1, stack.redis_port), wire, package), running)
    wait_until("the worker is there", lambda: stack.health()["workers"] == before + 1)


def warnings(stack: Stack) -> list[str]:
    found: list[str] = stack.health()["warnings"]
    return found


def logged(stack: Stack, text: str) -> int:
    """Return how many lines of all processes of the stack have this text."""
    return sum(line.count(text) for log in stack.logs.glob("*.log") for line in log.read_text().splitlines())


def works(stack: Stack) -> bool:
    """Return whether small and large requests and responses pass, on both queues."""
    answers = [stack.client.get("/queued"), stack.client.post("/low/queued", content=BODY)]
    answers.append(stack.client.get(f"/queued?mock_size={len(BODY)}"))
    return [answer.status_code for answer in answers] == [200] * 3


@pytest.mark.parametrize(("gateway", "worker"), [("2.0.0", "2.9.9"), ("2.9.9", "2.0.0")])
def test_releases_of_one_wire_version_understand_each_other(stack: Stack, gateway: str, worker: str) -> None:
    """A gateway of 2.x works with a worker of 2.y, whichever is newer, and health warns of nothing."""
    stack.start_mock()
    start_gateway(stack, WIRE_VERSION, gateway)
    start_worker(stack, WIRE_VERSION, worker)
    assert works(stack)
    assert warnings(stack) == []


def test_a_newer_worker_serves_an_older_gateway(stack: Stack) -> None:
    """Workers are updated first: a worker of a newer wire version answers an older gateway in that one's version."""
    stack.start_mock()
    stack.start_gateway()
    start_worker(stack, NEWER)
    assert works(stack)
    assert warnings(stack) == []


def test_a_newer_request_waits_for_a_newer_worker(stack: Stack) -> None:
    """An older worker leaves requests of a newer gateway in their order, health names them, and a newer one takes them.

    Until then the older worker does not work without end, and serves older gateways.
    """
    stack.start_mock()
    start_gateway(stack, NEWER)
    stack.start_workers(concurrency=1)
    with Background(2) as background:
        first = background.send(lambda: stack.client.get("/queued/first"))
        wait_until("the first waits", lambda: stack.queued() == 1)
        second = background.send(lambda: stack.client.get("/queued/second"))
        wait_until("both wait", lambda: stack.queued() == 2)
        wait_until("health names them", lambda: len(warnings(stack)) == 1)
        assert warnings(stack) == [
            f"2 requests wait for a newer worker: wire version {NEWER}; this deployment's workers know up to "
            f"{WIRE_VERSION}"
        ]
        assert stack.arrivals() == []
        start_worker(stack, NEWER)
        assert [first.result().status_code, second.result().status_code] == [200, 200]
    assert [row["path"] for row in stack.arrivals()] == ["/queued/first", "/queued/second"]
    wait_until("health does not name them", lambda: warnings(stack) == [])
    assert logged(stack, "2 requests wait for a newer worker") + logged(stack, "1 request waits for a newer") == 1


def start_stock_worker_of_1x(stack: Stack, folder: Path) -> None:
    """Start `rq worker high low` where `fast_priority` is a package like that of 1.x: without `job`."""
    package = folder / "fast_priority"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "utils.py").write_text("def run_request(method, url, headers, content):\n    return url\n")
    code = "import os, sys; os.chdir(sys.argv.pop(1)); from rq.cli import main; main()"
    url = f"redis://127.0.0.1:{stack.redis_port}"
    before = stack.health()["workers"]
    command = ("-c", code, str(folder), "worker", "high", "low", "--url", url, "--name", "of-1.x")
    stack.start(ChildProcess("stock worker of 1.x", command, {}), running)
    wait_until("the stock worker is there", lambda: stack.health()["workers"] == before + 1)


def enqueue_as_1x(stack: Stack, queue: str) -> Job:
    """Put a request on a queue as a gateway of 1.x does."""
    call = {"method": "GET", "url": f"{stack.mock_url}/of-1.x?", "headers": {}, "content": b""}
    return Queue(queue, connection=stack.redis).enqueue("fast_priority.utils.run_request", kwargs=call, ttl=60)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_worker_of_1x_fails_with_our_request(stack: Stack, tmp_path: Path, method: str) -> None:
    """A request that a worker of 1.x has taken gets a 502 that says so, and health and log name the worker."""
    stack.start_mock()
    stack.start_gateway()
    start_stock_worker_of_1x(stack, tmp_path)
    response = stack.client.request(method, "/queued")
    assert (response.status_code, problem_of(response)["type"]) == (502, "urn:fast-priority:foreign-worker")
    assert "it is not of Fast Priority 2" in problem_of(response)["detail"]
    assert stack.arrivals() == []
    (warning,) = warnings(stack)
    assert warning.startswith("worker of-1.x is rq's own")
    assert logged(stack, "worker of-1.x is rq's own") == 1
    assert logged(stack, "foreign-worker") >= 1


def test_our_stock_worker_is_not_taken_for_one_of_1x(stack: Stack) -> None:
    """A stock worker that has run one of our requests is not named in health."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_stock_worker()
    assert len(warnings(stack)) == 1
    assert stack.client.get("/queued").status_code == 200
    wait_until("health does not name it", lambda: warnings(stack) == [])


def test_a_stock_worker_refuses_a_newer_request(stack: Stack) -> None:
    """A stock worker cannot leave a newer request on its queue, so it answers 502, which says what to update."""
    stack.start_mock()
    start_gateway(stack, NEWER)
    stack.start_stock_worker()
    problem = problem_of(stack.client.get("/queued"))
    assert (problem["status"], problem["type"]) == (502, "urn:fast-priority:newer-wire-version")
    assert f"versions up to {WIRE_VERSION}, and it is of {NEWER}" in problem["detail"]
    assert stack.arrivals() == []


def test_jobs_of_1x_are_named_and_never_run(stack: Stack) -> None:
    """A waiting job of 1.x is named in health; a PriorityWorker refuses it, and names it once for each queue."""
    stack.start_mock()
    stack.start_gateway()
    jobs = [enqueue_as_1x(stack, queue) for queue in ("high", "low", "high")]
    wait_until("health names both queues", lambda: len(warnings(stack)) == 2)
    stack.start_workers()
    wait_until("all are refused", lambda: [job.get_status() for job in jobs] == ["failed"] * 3)
    wait_until("the worker names both", lambda: ["(said by worker" in each for each in warnings(stack)] == [True] * 2)
    for queue in ("high", "low"):
        assert logged(stack, f"a job of fast-priority 1.x is on queue {queue}: it was moved") == 2  # worker, gateway
        assert logged(stack, f"a job of fast-priority 1.x is on queue {queue}: only a worker") == 1
    assert (stack.client.get("/queued").status_code, len(stack.arrivals())) == (200, 1)


@pytest.mark.parametrize("kind", ["PriorityWorker", "stock"])
def test_a_worker_with_another_target_warns_of_it(stack: Stack, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose own target is not that of the gateway says so once, in health and log, and goes on."""
    stack.start_mock()
    stack.start_gateway()
    own = f"http://localhost:{stack.mock_port}"
    if kind == "stock":
        monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", own)
        stack.start_stock_worker()
    else:
        stack.start_workers(FAST_PRIORITY_TARGET_BASE_URL=own)
    assert [stack.client.get("/queued").status_code for _ in range(3)] == [200] * 3
    text = f"requests for {stack.mock_url} are sent to {own}"
    wait_until("health names it", lambda: [warning.startswith(text) for warning in warnings(stack)] == [True])
    assert logged(stack, text) == 2  # worker, gateway
