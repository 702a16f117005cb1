"""With Sentinels, gateway and workers follow the master to another server."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from fast_priority.local.child_processes import ChildProcess
from tests.harness import Stack, problem_of, running_stack, wait_until
from tests.redis_servers import redis_server
from tests.sentinels import SECRET, SENTINEL_SECRET, Watched, watched_redis

_AWAY_SECONDS = 4.0  # 2 s are promised


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with watched_redis(tmp_path) as redis:
        yield redis


def start_rq_worker(stack: Stack, watched: Watched) -> None:
    """Start `rq worker -w fast_priority.worker.PriorityWorker` with rq's own configuration of Sentinels."""
    instances = [("127.0.0.1", port) for port in watched.sentinels]
    found = {
        "INSTANCES": instances,
        "MASTER_NAME": "mymaster",
        "PASSWORD": SECRET,
        "SENTINEL_KWARGS": {"password": SENTINEL_SECRET},
    }
    (watched.directory / "rq_of_test.py").write_text(f"SENTINEL = {found!r}\n")
    arguments = ("-m", "rq.cli", "worker", "-w", "fast_priority.worker.PriorityWorker", "high", "low")
    options = ("-c", "rq_of_test", "-P", str(watched.directory))
    before = stack.health()["workers"]
    stack.start(ChildProcess("rq worker", (*arguments, *options), {}))
    wait_until("rq's worker is there", lambda: stack.health()["workers"] == before + 1)


def test_gateway_and_workers_follow_a_failover(watched: Watched, tmp_path: Path) -> None:
    """When the master is killed, requests get 503 until a replica replaces it, then 200; no process ends."""
    with running_stack(watched.replica_port, tmp_path / "logs") as stack:
        (tmp_path / "logs").mkdir()
        stack.start_mock()
        stack.start_gateway(**watched.settings())
        stack.start_workers(processes=2, concurrency=4, **watched.settings())
        start_rq_worker(stack, watched)
        assert stack.client.get("/queued").status_code == 200
        before = _processes(stack)

        watched.master.kill()
        answers = _ask_until_carried(stack)
        assert {status for status, _, _ in answers} <= {200, 503}
        assert max(seconds for _, seconds, _ in answers) < _AWAY_SECONDS
        wait_until("all three workers are known again", lambda: stack.health()["workers"] == 3)

        _come_back(watched, stack)
        assert [stack.client.get("/queued").status_code for _ in range(8)] == [200] * 8
        assert _processes(stack) == before
        logs = "\n".join(log.read_text() for log in stack.logs.glob("*.log"))
        assert [secret for secret in (SECRET, SENTINEL_SECRET) if f"'{secret}'" in logs or f":{secret}@" in logs] == []


def _ask_until_carried(stack: Stack) -> list[tuple[int, float, str]]:
    """Send requests until one is answered 200; the first one may wait until the new master is there."""
    answers: list[tuple[int, float, str]] = []

    def carried() -> bool:
        began = time.monotonic()
        response = stack.client.get("/queued")
        slug = problem_of(response)["type"] if response.status_code != 200 else ""
        answers.append((response.status_code, time.monotonic() - began, slug))
        return response.status_code == 200

    wait_until("a request is carried by the new master", carried, within_seconds=40)
    return answers


def _come_back(watched: Watched, stack: Stack) -> None:
    """Start the killed server again: the Sentinels make it a replica of its former replica."""
    port = watched.master_port
    own = "--port", str(port), "--requirepass", SECRET, "--masterauth", SECRET
    look = stack.parts.enter_context(Redis(port=port, password=SECRET))
    stack.parts.enter_context(redis_server(watched.directory / "again", *own, look=look))
    wait_until("it is a replica", lambda: look.info("replication")["role"] == "slave", within_seconds=40)


def test_silent_sentinels_do_not_hold_a_client_up(watched: Watched, tmp_path: Path) -> None:
    """With the master killed and all Sentinels frozen, the client still gets 503 within 2 s."""
    with running_stack(watched.replica_port, tmp_path / "logs") as stack:
        (tmp_path / "logs").mkdir()
        stack.start_mock()
        stack.start_gateway(**watched.settings())
        stack.start_workers(processes=1, concurrency=4, **watched.settings())
        for process in watched.sentinels.values():
            process.send_signal(signal.SIGSTOP)
        try:
            watched.master.kill()
            wait_until("the master is away", lambda: stack.client.get("/queued").status_code == 503)
            began = time.monotonic()
            assert stack.client.get("/queued").status_code == 503
            assert time.monotonic() - began < _AWAY_SECONDS
        finally:
            for process in watched.sentinels.values():
                process.send_signal(signal.SIGCONT)


def _processes(stack: Stack) -> set[int]:
    """Return the pids of all processes of the stack, with the workers of the pool."""
    mine = {process.pid for process in stack.processes.values() if process.poll() is None}
    return mine | {child.pid for pid in mine for child in psutil.Process(pid).children(recursive=True)}
