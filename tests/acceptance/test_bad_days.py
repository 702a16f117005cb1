"""What must not happen when Redis hangs or is full, or workers and clients end at the worst moment."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from rq.job import Job

from tests.harness import Background, Stack, exchange_bytes, free_port, problem_of, running_stack, wait_until
from tests.redis_servers import loopback_redis


@contextmanager
def stack_with_redis(tmp_path: Path) -> Iterator[tuple[Stack, psutil.Process]]:
    """A stack with a Redis of its own, which a test may freeze or fill."""
    port = free_port()
    with loopback_redis(port), running_stack(port, tmp_path) as stack:
        (server,) = [
            process
            for process in psutil.Process().children()
            if any(connection.laddr.port == port for connection in process.net_connections("tcp"))
        ]
        yield stack, server


@contextmanager
def frozen(server: psutil.Process) -> Iterator[None]:
    """Freeze a server inside the block: it neither answers nor refuses."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


def test_what_was_answered_503_is_not_sent_later(tmp_path: Path) -> None:
    """Requests refused because Redis hung never reach the target, even when Redis continues."""
    with stack_with_redis(tmp_path) as (stack, server):
        stack.start_mock()
        stack.start_gateway()
        stack.start_workers()
        with frozen(server), Background(6) as background:
            answers = [background.send(lambda: stack.client.post("/refused", content=b"x")) for _ in range(6)]
            assert [answer.result().status_code for answer in answers] == [503] * 6
        wait_until("requests are carried again", lambda: stack.client.get("/queued").status_code == 200)
        wait_until("nothing waits", lambda: stack.queued() == 0)
        assert [row["path"] for row in stack.arrivals() if row["path"] == "/refused"] == []


def test_a_full_redis_keeps_what_is_in_flight(tmp_path: Path) -> None:
    """While Redis is out of memory, new requests get 503, and one in flight keeps its lease and gets its answer."""
    with stack_with_redis(tmp_path) as (stack, _):
        stack.start_mock()
        stack.start_gateway()
        stack.start_workers(concurrency=1)
        with Background(1) as background:
            answer = background.send(lambda: stack.client.get("/low/x?mock_latency=8"))
            wait_until("it is at the target", lambda: stack.in_flight() == 1)
            stack.redis.config_set("maxmemory", 1)
            assert stack.client.get("/queued").status_code == 503
            assert answer.result().status_code == 200
        stack.redis.config_set("maxmemory", 0)
        assert stack.client.get("/queued").status_code == 200


def test_a_redis_that_refuses_writes_is_named(tmp_path: Path) -> None:
    """Readiness, health and the 503 name the reason, and each log has it in hardly a line, and its end in one."""
    reason = "Redis refuses writes: it has too few replicas (min-replicas-to-write)"
    with stack_with_redis(tmp_path) as (stack, _):
        stack.start_mock()
        stack.start_gateway()
        stack.start_workers()
        stack.redis.config_set("min-replicas-to-write", 1)
        wait_until("it is not ready", lambda: readiness(stack) == (503, [f"{reason}: requests get 503"]))
        wait_until("health has it", lambda: redis_in(stack.health()) == ("degraded", True, False, reason))
        refused = [stack.client.post("/queued") for _ in range(20)]
        assert f"{reason}, so the request cannot be queued" in {problem_of(each)["detail"] for each in refused}
        wait_until("the worker has noticed it", lambda: "trouble with Redis" in log_of(stack, "workers"))
        stack.redis.config_set("min-replicas-to-write", 0)
        wait_until("it is ready", lambda: readiness(stack) == (200, []))
        for name in ("gateway", "workers"):
            wait_until("the log says that it is over", partial(is_over_in, stack, name))
            lines = [line for line in log_of(stack, name).splitlines() if "trouble with Redis" in line]
            assert len(lines) <= 3  # a machine that stands still adds that Redis does not answer
            assert [" INFO " in line for line in lines] == [*[False] * (len(lines) - 1), True]


def redis_in(health: dict[str, Any]) -> tuple[str, bool, bool, str | None]:
    return health["status"], health["redis_reachable"], health["redis_writable"], health["redis_problem"]


def readiness(stack: Stack) -> tuple[int, list[str]]:
    response = stack.client.get("/gateway_health/ready")
    return response.status_code, response.json()["reasons"]


def is_over_in(stack: Stack, name: str) -> bool:
    return ": over, after" in log_of(stack, name)


def log_of(stack: Stack, name: str) -> str:
    """Return what the process of this name has logged."""
    (log,) = stack.logs.glob(f"{name}-*.log")
    return log.read_text()


def test_a_full_redis_only_delays_what_streams(tmp_path: Path) -> None:
    """A streamed response continues when Redis has memory again; it delays no request that needs no memory."""
    with stack_with_redis(tmp_path) as (stack, _):
        stack.start_mock()
        stack.start_gateway()
        stack.start_workers(concurrency=2)
        with Background(3) as background:
            streams = background.send(lambda: stack.client.get("/low/x?mock_size=3000000&mock_bandwidth=1000000"))
            small = background.send(lambda: stack.client.post("/low/x?mock_latency=2"))
            wait_until("both are at the target", lambda: stack.in_flight() == 2)
            queued = background.send(lambda: stack.client.post("/low/queued"))
            wait_until("one waits", lambda: stack.queued() == 1)
            stack.redis.config_set("maxmemory", 1)
            assert small.result().status_code == 200
            assert queued.result().status_code == 200
            stack.redis.config_set("maxmemory", 0)
            assert len(streams.result().content) == 3_000_000


def test_a_full_redis_does_not_hold_up_what_is_small(tmp_path: Path) -> None:
    """While Redis is out of memory, a response that comes in small pieces is still delivered."""
    with stack_with_redis(tmp_path) as (stack, _):
        stack.start_mock()
        stack.start_gateway()
        stack.start_workers(concurrency=1)
        with Background(1) as background:
            pieces = background.send(
                lambda: stack.client.get("/low/x?mock_latency=1&mock_size=3000&mock_bandwidth=3000")
            )
            wait_until("it is at the target", lambda: stack.in_flight() == 1)
            stack.redis.config_set("maxmemory", 1)
            assert len(pieces.result().content) == 3000
            stack.redis.config_set("maxmemory", 0)


def test_a_worker_leaves_without_redis(tmp_path: Path) -> None:
    """A worker that gets SIGTERM while Redis is away ends, although it cannot publish its last answer."""
    port = free_port()
    with running_stack(port, tmp_path) as stack:
        stack.start_mock()
        stack.start_gateway(FAST_PRIORITY_TTL="2", FAST_PRIORITY_TIMEOUT="3")
        with loopback_redis(port):
            workers = stack.start_workers(concurrency=1)
            background = Background(1)
            background.send(lambda: stack.client.get("/low/x?mock_latency=1", timeout=2))
            wait_until("it is at the target", lambda: stack.in_flight() == 1)
        wait_until("the target has answered", lambda: stack.in_flight() == 0)
        workers.send_signal(signal.SIGTERM)
        workers.wait(30)
        background.__exit__()


def test_a_worker_that_waits_for_redis_can_be_ended(tmp_path: Path) -> None:
    """SIGTERM ends a worker pool that has found no Redis yet, and one whose worker was started again."""
    from fast_priority.local.child_processes import worker_process

    with running_stack(free_port(), tmp_path) as stack:
        workers = stack.start(worker_process(1, 1, stack.redis_port))
        pool = psutil.Process(workers.pid)
        wait_until("the worker is there", lambda: len(pool.children()) == 1)
        (first,) = pool.children()
        first.kill()
        wait_until("another has its place", lambda: [child.pid for child in pool.children()] not in ([], [first.pid]))
        workers.send_signal(signal.SIGTERM)
        assert workers.wait(30) == 0


def test_a_second_signal_ends_a_worker_at_once(stack: Stack) -> None:
    """A worker that waits for a long request ends at a second signal."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_POLL_INTERVAL="0.2")
    workers = stack.start_workers(concurrency=1)
    (worker,) = psutil.Process(workers.pid).children()
    with Background(1) as background:
        answer = background.send(lambda: stack.client.post("/low/x?mock_latency=50"))
        wait_until("it is at the target", lambda: stack.in_flight() == 1)
        workers.send_signal(signal.SIGTERM)

        def ended_by_another_signal() -> bool:
            if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
                worker.send_signal(signal.SIGTERM)
                return False
            return True

        wait_until("it has left", ended_by_another_signal)
        assert answer.result().status_code == 502


def test_a_request_that_rq_cancelled_is_answered(stack: Stack) -> None:
    """When a waiting job is cancelled with rq's tools, its client is answered at once, not at its TTL."""
    stack.start_gateway(FAST_PRIORITY_POLL_INTERVAL="0.2")
    with Background(1) as background:
        answer = background.send(lambda: stack.client.get("/low/x"))
        wait_until("it waits", lambda: stack.queued() == 1)
        (job_id,) = stack.redis.lrange("rq:queue:low", 0, -1)
        Job.fetch(job_id.decode(), connection=stack.redis).cancel()
        assert answer.result().status_code == 502


def test_killed_workers_leave_no_leases(stack: Stack) -> None:
    """The requests of a killed worker do not count as in flight forever."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_POLL_INTERVAL="0.2")
    workers = stack.start_workers(concurrency=1)
    (worker,) = psutil.Process(workers.pid).children()
    with Background(1) as background:
        background.send(lambda: stack.client.post("/low/x?mock_latency=50"))  # which is not sent again
        wait_until("it is at the target", lambda: stack.in_flight() == 1)
        worker.kill()  # the pool starts another in its place
    wait_until("nothing counts as in flight", lambda: stack.health()["in_flight"] == 0)


def test_trailers_never_become_fields(lasting_stack: Stack) -> None:
    """A trailer field of a chunked body, sent in one packet with it, does not reach the target as a header field."""
    for path in ("/queued", "/direct"):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        answer = exchange_bytes(lasting_stack.gateway_port, head.encode() + b"1\r\na\r\n0\r\nX-User: admin\r\n\r\n")
        echoed = httpx.Response(200, content=answer.partition(b"\r\n\r\n")[2]).json()
        assert echoed["body"] == "a"
        assert "x-user" not in dict(echoed["fields"])


def test_an_upload_over_the_limit_is_the_clients_fault_past_the_queue(stack: Stack) -> None:
    """A chunked upload that grows over the limit is answered 413 on pass-through, too."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_MAX_BODY="2048")
    response = stack.client.post("/health/", content=iter([b"x" * 1024] * 8))
    assert (response.status_code, problem_of(response)["fault"]) == (413, "client")


def test_a_client_that_leaves_a_pass_through_ends_the_call(lasting_stack: Stack) -> None:
    """When the client of a pass-through request leaves, the call to the target ends."""
    with socket.create_connection(("127.0.0.1", lasting_stack.gateway_port)) as client:
        client.sendall(b"GET /direct?mock_latency=60 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until("it is at the target", lambda: lasting_stack.in_flight() == 1)
    wait_until("the call to the target has ended", lambda: lasting_stack.in_flight() == 0)


def test_an_endpoint_of_our_own_may_end_with_a_slash(lasting_stack: Stack) -> None:
    """The health endpoint is found with and without a slash at its end."""
    assert lasting_stack.client.get("/gateway_health/").json() == lasting_stack.health()


def test_standalone_uses_the_redis_that_dotenv_names(tmp_path: Path) -> None:
    """With FAST_PRIORITY_REDIS_HOST in `.env`, standalone starts no Redis of its own."""
    import sys

    (tmp_path / ".env").write_text("FAST_PRIORITY_REDIS_HOST=127.0.0.1\n")
    code = "from fast_priority.settings import Settings; print(Settings.load().names_a_redis)"
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "True"
