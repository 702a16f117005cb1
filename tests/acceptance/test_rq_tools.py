"""rq's own workers and tools work on the same queues."""

import os
import signal
import subprocess
import sys

import pytest
from rq import Queue, Worker
from rq.job import Job

from tests.harness import Background, Stack, wait_until

STATUS_CASES = [("/queued", 200), ("/queued?mock_status=404", 404)]


def rq(stack: Stack, *arguments: str) -> str:
    """Run rq's command line and return its output."""
    command = [sys.executable, "-m", "rq.cli", *arguments, "--url", f"redis://127.0.0.1:{stack.redis_port}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(("path", "status"), STATUS_CASES)
def test_a_stock_rq_worker_serves_the_gateway(stack: Stack, path: str, status: int) -> None:
    """`rq worker high low` forwards requests and answers them, the target's status included."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_stock_worker()
    response = stack.client.post(path, content=b"\x00\xff")
    assert (response.status_code, response.json()["body_length"]) == (status, 2)


def test_stock_tools_with_three_levels(stack: Stack) -> None:
    """`rq worker high normal low` serves three levels, and `rq info` shows a queue for each."""
    from fast_priority.local.child_processes import ChildProcess

    stack.start_mock()
    rules = stack.logs / "policy.toml"
    rules.write_text('[[rule]]\nname = "normal"\npath = "/normal"\nlevel = "normal"\n')
    stack.start_gateway(FAST_PRIORITY_LEVELS="high,normal,low", FAST_PRIORITY_POLICY_FILE=str(rules))
    place = {"RQ_REDIS_URL": f"redis://127.0.0.1:{stack.redis_port}"}
    stack.start(ChildProcess("stock worker", ("-m", "rq.cli", "worker", "high", "normal", "low"), place))
    assert [stack.client.get(path).status_code for path in ("/normal", "/low", "/high")] == [200] * 3
    shown = rq(stack, "info", "--by-queue")
    assert all(f"{level} " in shown for level in ("high", "normal", "low"))


def test_a_stock_rq_worker_tells_why_the_target_gave_nothing(stack: Stack) -> None:
    """Without a target, a request on a stock worker is answered 502, as on a PriorityWorker."""
    stack.start_gateway()
    stack.start_stock_worker()
    assert stack.client.get("/queued").status_code == 502


def test_both_kinds_of_worker_serve_side_by_side(stack: Stack) -> None:
    """Each request is answered exactly once, by any free worker, stock or ours."""
    stack.start_mock(latency="0.2")
    stack.start_gateway()
    stack.start_stock_worker()
    stack.start_workers(concurrency=1)
    with Background(12) as background:
        answers = [background.send(lambda: stack.client.get("/queued")) for _ in range(12)]
        assert [answer.result().status_code for answer in answers] == [200] * 12
    assert len(stack.arrivals()) == 12
    assert max(row["in_flight"] for row in stack.arrivals()) == 2


def test_rq_runs_priority_workers_by_name(stack: Stack) -> None:
    """`rq worker -w fast_priority.worker.PriorityWorker high low` is a worker like those of run-fast-priority."""
    from fast_priority.local.child_processes import ChildProcess

    stack.start_mock()
    stack.start_gateway()
    arguments = ("-m", "rq.cli", "worker", "-w", "fast_priority.worker.PriorityWorker", "high", "low")
    stack.start(ChildProcess("rq worker", arguments, {"RQ_REDIS_URL": f"redis://127.0.0.1:{stack.redis_port}"}))
    assert stack.client.get("/queued").status_code == 200


def test_rq_info_shows_queues_and_workers(stack: Stack) -> None:
    """`rq info` lists both queues and every PriorityWorker."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_workers(processes=2)
    stack.client.get("/queued")
    said = rq(stack, "info")
    assert "2 workers, 2 queues" in said


def test_rq_sees_waiting_and_started_requests(stack: Stack) -> None:
    """A waiting request is a queued rq job and one at the target is a started one, described without its query."""
    stack.start_mock(latency="1")
    stack.start_gateway()
    worker = stack.start_workers(concurrency=1)
    with Background(2) as background:
        background.send(lambda: stack.client.get("/low/one?secret=1"))
        wait_until("it is at the target", lambda: stack.in_flight() == 1)
        background.send(lambda: stack.client.get("/low/two?secret=2"))
        wait_until("another waits", lambda: stack.queued() == 1)
        queue = Queue("low", connection=stack.redis)
        assert [job.description for job in queue.jobs] == ["GET '/low/two'"]
        assert queue.started_job_registry.get_job_count(cleanup=False) == 1
        (started,) = queue.started_job_registry.get_job_ids(cleanup=False)
        assert Job.fetch(started, connection=stack.redis).get_status() == "started"
    assert worker.poll() is None


def test_suspend_holds_workers_back_and_resume_lets_them_on(stack: Stack) -> None:
    """After `rq suspend` nothing reaches the target, and readiness shows it; after `rq resume` everything does."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_workers()
    rq(stack, "suspend")
    with Background(1) as background:
        answer = background.send(lambda: stack.client.get("/queued"))
        wait_until("it waits", lambda: stack.queued() == 1)
        assert stack.client.get("/gateway_health/ready").status_code == 503
        assert stack.arrivals() == []
        rq(stack, "resume")
        assert answer.result().status_code == 200


def test_a_shutdown_command_of_rq_ends_the_worker(stack: Stack) -> None:
    """rq's shutdown command ends a PriorityWorker, and the pool starts another one in its place."""
    from rq.command import send_shutdown_command

    stack.start_mock()
    stack.start_gateway()
    stack.start_workers()
    (before,) = Worker.all(connection=stack.redis)
    send_shutdown_command(stack.redis, before.name)
    wait_until(
        "another worker has its place",
        lambda: [worker.name for worker in Worker.all(connection=stack.redis)] not in ([before.name], []),
    )


def test_a_foreign_job_is_refused_and_kept_with_its_reason(stack: Stack) -> None:
    """A job that names other code is not run: it is put into rq's failed registry, with the reason."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_workers()
    queue = Queue("high", connection=stack.redis)
    job = queue.enqueue(os.getenv, "HOME")
    wait_until("it has failed", lambda: job.id in queue.failed_job_registry.get_job_ids(cleanup=False))
    result = job.latest_result()
    assert result is not None
    assert "only fast_priority.job.forward is run" in str(result.exc_string)
    assert stack.client.get("/queued").status_code == 200


def test_sigterm_lets_a_worker_finish_what_is_in_flight(stack: Stack) -> None:
    """A worker that gets SIGTERM answers its requests at the target, claims no more, and ends."""
    stack.start_mock(latency="1")
    stack.start_gateway()
    workers = stack.start_workers(concurrency=1)
    with Background(2) as background:
        first = background.send(lambda: stack.client.get("/low/first"))
        wait_until("the first is at the target", lambda: stack.in_flight() == 1)
        second = background.send(lambda: stack.client.get("/low/second"))
        wait_until("the second waits", lambda: stack.queued() == 1)
        workers.send_signal(signal.SIGTERM)
        assert first.result().status_code == 200
        workers.wait(30)
        assert (second.done(), stack.queued()) == (False, 1)
        stack.start_workers(concurrency=1)
        assert second.result().status_code == 200
