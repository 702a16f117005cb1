"""Too many clients, slow clients, and a gateway that drains, seen from outside."""

import contextlib
import signal
import socket

import httpx

from fast_priority.local.child_processes import worker_process
from tests.harness import Background, Stack, exchange_bytes, problem_of, wait_until

GET = b"GET /queued HTTP/1.1\r\nHost: x\r\n"


def test_over_the_limit_of_connections_clients_hear_503_and_health_is_told(stack: Stack) -> None:
    """A client over the limit gets 503 and may come again later; the health endpoint answers every client."""
    stack.start_gateway(FAST_PRIORITY_MAX_CONNECTIONS="2")
    stack.client.close()
    with Background(2) as background:
        for _ in range(2):
            background.send(lambda: httpx.get(f"{stack.url}/queued", trust_env=False, timeout=60))
        wait_until("both wait", lambda: stack.redis.llen("rq:queue:high") == 2)
        refused = httpx.get(f"{stack.url}/queued", trust_env=False)
        alive = httpx.get(f"{stack.url}/gateway_health/live", trust_env=False)
        stack.processes["gateway"].kill()
    assert (refused.status_code, problem_of(refused)["type"]) == (503, "urn:fast-priority:too-many-connections")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (alive.status_code, alive.headers["connection"]) == (200, "close")


def test_slow_heads_and_idle_connections_are_cut_off(stack: Stack) -> None:
    """FAST_PRIORITY_HEAD_TIMEOUT and _KEEP_ALIVE are in force, a head that stops being answered 408."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_HEAD_TIMEOUT="0.5", FAST_PRIORITY_KEEP_ALIVE="0.5")
    stack.start_workers()
    assert exchange_bytes(stack.gateway_port, GET).startswith(b"HTTP/1.1 408 ")
    assert exchange_bytes(stack.gateway_port, GET + b"\r\n").startswith(b"HTTP/1.1 200 ")
    assert exchange_bytes(stack.gateway_port, b"") == b""


def test_a_body_that_trickles_is_cut_off(stack: Stack) -> None:
    """A small body that comes byte by byte is answered 408, although each byte comes in time, and is never queued."""
    stack.start_gateway(FAST_PRIORITY_CLIENT_TIMEOUT="0.5")
    with socket.create_connection(("127.0.0.1", stack.gateway_port)) as client:
        client.settimeout(0.1)
        client.sendall(b"POST /queued HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        said = b""
        while not said:
            with contextlib.suppress(TimeoutError):
                client.sendall(b"x")
                said = client.recv(65536)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert stack.queued() == 0


def test_a_full_queue_tells_how_long_it_takes(stack: Stack) -> None:
    """Retry-After of a full queue grows with the number of waiting requests: without workers it is most of a minute."""
    stack.start_gateway(FAST_PRIORITY_MAX_QUEUED_LOW="1", FAST_PRIORITY_TTL="2")
    with Background(1) as background:
        background.send(lambda: stack.client.get("/low/x"))
        wait_until("the queue is full", lambda: stack.queued() == 1)
        refused = stack.client.get("/low/x")
    assert refused.status_code == 503
    assert 40 <= int(refused.headers["retry-after"]) <= 60


def test_a_gateway_that_ends_answers_what_is_queued_and_leaves_with_0(stack: Stack) -> None:
    """A draining gateway accepts no connection, logs that it drains, answers also what is queued, and exits with 0."""
    stack.start_mock()
    stack.start_gateway()
    with Background(1) as background, httpx.Client(base_url=stack.url, trust_env=False) as kept:
        assert kept.get("/gateway_health/live").status_code == 200
        answer = background.send(lambda: stack.client.post("/queued", content=b"x"))
        wait_until("it is queued", lambda: stack.queued() == 1)
        stack.processes["gateway"].send_signal(signal.SIGTERM)
        wait_until("it takes no connection", lambda: _refuses(stack.gateway_port))
        workers = stack.start(worker_process(1, 1, stack.redis_port))
        response = answer.result()
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        assert stack.processes["gateway"].wait(30) == 0
        workers.terminate()
        assert workers.wait(30) == 0
    assert len(stack.arrivals()) == 1


def test_a_gateway_that_may_not_wait_tells_who_waits(stack: Stack) -> None:
    """After FAST_PRIORITY_DRAIN_TIMEOUT, requests that still wait are answered 503 and taken off the queue."""
    stack.start_gateway(FAST_PRIORITY_DRAIN_TIMEOUT="0.5")
    with Background(1) as background:
        answer = background.send(lambda: stack.client.get("/queued"))
        wait_until("it is queued", lambda: stack.queued() == 1)
        stack.processes["gateway"].send_signal(signal.SIGTERM)
        response = answer.result()
    assert (response.status_code, problem_of(response)["type"]) == (503, "urn:fast-priority:gateway-not-ready")
    assert stack.processes["gateway"].wait(30) == 0
    assert stack.redis.keys("rq:job:*") == []


def test_readiness_tells_of_the_end_on_connections_that_are_there(stack: Stack) -> None:
    """A load balancer that asks on a kept connection is told that the gateway is ending."""
    stack.start_mock(latency="1")
    stack.start_gateway()
    stack.start_workers()
    with Background(1) as background, socket.create_connection(("127.0.0.1", stack.gateway_port)) as balancer:
        background.send(lambda: stack.client.get("/queued"))
        wait_until("it is at the target", lambda: stack.in_flight() == 1)
        stack.processes["gateway"].send_signal(signal.SIGTERM)
        wait_until("it takes no connection", lambda: _refuses(stack.gateway_port))
        balancer.sendall(b"GET /gateway_health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        said = b""
        while piece := balancer.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"the gateway ends" in said


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False
