"""Every simple failure is answered once, and leaves nothing behind."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from fast_priority.local.child_processes import worker_process
from tests.harness import (
    Background,
    Stack,
    exchange_bytes,
    free_port,
    problem_of,
    running_stack,
    scripted_target,
    wait_until,
)
from tests.redis_servers import loopback_redis


def test_a_target_that_refuses_is_answered_502(stack: Stack) -> None:
    """With nothing at the target's address, the client gets 502 at once, queued and on pass-through."""
    stack.start_gateway()
    stack.start_workers()
    for path in ("/queued", "/health"):
        response = stack.client.get(path)
        assert response.status_code == 502
        assert problem_of(response)["type"] == "urn:fast-priority:target-refused"
        assert "error=connection_refused" in response.headers["proxy-status"]


def test_a_target_that_is_too_slow_is_answered_504_and_the_slot_is_free(stack: Stack) -> None:
    """At the timeout the client gets 504, the call to the target ends, and the only slot takes the next request."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_TIMEOUT="0.5")
    stack.start_workers(concurrency=1)
    response = stack.client.get("/queued?mock_latency=30")
    assert response.status_code == 504
    assert problem_of(response)["type"] == "urn:fast-priority:target-timeout"
    said = re.fullmatch(
        r"it was silent for ([\d.]+) s; the request came ([\d.]+) s ago", problem_of(response)["detail"]
    )
    assert said is not None
    assert float(said[1]) <= float(said[2])
    assert stack.client.get("/queued").status_code == 200
    wait_until("the target has seen the call end", lambda: stack.in_flight() == 0)


def _send_nothing(connection: socket.socket, head: bytes) -> None:
    connection.recv(1)  # returns when the other side has closed


def test_a_pass_through_that_is_too_slow_is_answered_504(stack: Stack) -> None:
    """On pass-through the client gets 504 at the timeout, too."""
    with scripted_target(_send_nothing) as (port, _):
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway(FAST_PRIORITY_TIMEOUT="0.5")
        assert stack.client.get("/health").status_code == 504


def test_waiting_longer_than_ttl_is_answered_503(stack: Stack) -> None:
    """Without a worker, a request is answered 503 with Retry-After after its TTL, and leaves nothing in Redis."""
    stack.start_gateway(FAST_PRIORITY_TTL="1")
    response = stack.client.get("/low/x")
    assert (response.status_code, problem_of(response)["fault"]) == (503, "overload")
    assert int(response.headers["retry-after"]) > 0
    assert stack.redis.keys("rq:job:*") == []
    assert stack.queued() == 0


def test_a_full_queue_is_answered_503_at_once(stack: Stack) -> None:
    """When a queue is full, the next request is refused and not queued; the other queue still takes requests."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_MAX_QUEUED_LOW="2", FAST_PRIORITY_TTL="3")
    with Background(3) as background:
        for _ in range(2):
            background.send(lambda: stack.client.get("/low/x"))
        wait_until("the queue is full", lambda: stack.queued() == 2)
        refused = stack.client.get("/low/x")
        assert (refused.status_code, problem_of(refused)["type"]) == (503, "urn:fast-priority:queue-full")
        high = background.send(lambda: stack.client.get("/high"))
        wait_until("the high one is queued", lambda: stack.health()["queue"] == {"high": 1, "low": 2})
        stack.start_workers()
        assert high.result().status_code == 200


def test_a_client_that_left_while_queued_is_never_served(stack: Stack) -> None:
    """A request whose client has left is taken off the queue and never reaches the target."""
    stack.start_mock(latency="1")
    stack.start_gateway()
    stack.start_workers(concurrency=1)
    with Background(1) as background:
        background.send(lambda: stack.client.get("/low/stays"))
        wait_until("the slot is taken", lambda: stack.in_flight() == 1)
        with socket.create_connection(("127.0.0.1", stack.gateway_port)) as leaver:
            leaver.sendall(b"GET /low/leaves HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until("it waits", lambda: stack.queued() == 1)
        wait_until("it is off the queue", lambda: stack.queued() == 0)
    stack.client.get("/low/last")
    assert [row["path"] for row in stack.arrivals()] == ["/low/stays", "/low/last"]


def test_a_request_body_over_the_limit_is_answered_413(stack: Stack) -> None:
    """A body over FAST_PRIORITY_MAX_BODY is refused, whether its length is declared or not; one at the limit passes."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_MAX_BODY="2048")
    stack.start_workers()
    assert stack.client.post("/queued?mock_size=1", content=b"x" * 2048).status_code == 200
    declared = stack.client.post("/declared", content=b"x" * 2049)
    chunked = stack.client.post("/chunked", content=iter([b"x" * 1024] * 3))
    assert [declared.status_code, chunked.status_code] == [413, 413]
    # The first chunks may reach the target before the last one is refused; it never gets a whole request.
    assert [row["path"] for row in stack.arrivals() if row["status"] is not None] == ["/queued"]
    assert "/declared" not in {row["path"] for row in stack.arrivals()}


def test_a_refused_body_is_not_asked_for(stack: Stack) -> None:
    """A client that waits for 100 Continue with too large a body gets 413 and never 100 Continue."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_MAX_BODY="2048")
    answer = exchange_bytes(
        stack.gateway_port,
        b"POST /queued HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\nExpect: 100-continue\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_response_over_the_limit_is_refused_and_never_cut(stack: Stack) -> None:
    """A queued response over FAST_PRIORITY_MAX_BODY is answered 502; passed through, it streams whole."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_MAX_BODY="2048", FAST_PRIORITY_PASS_THROUGH="direct")
    stack.start_workers()
    assert len(stack.client.get("/queued?mock_size=2048").content) == 2048
    refused = stack.client.get("/queued?mock_size=2049")
    assert (refused.status_code, problem_of(refused)["type"]) == (502, "urn:fast-priority:response-body-too-large")
    assert len(stack.client.get("/direct?mock_size=300000").content) == 300_000


def _cut_short(connection: socket.socket, head: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour")
    connection.shutdown(socket.SHUT_RDWR)


def _close_silently(connection: socket.socket, head: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def _send_no_http(connection: socket.socket, head: bytes) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("answer", "slug"), [(_cut_short, "response-incomplete"), (_send_no_http, "target-error")])
def test_a_target_that_gives_no_whole_response_is_answered_502(stack: Stack, answer: object, slug: str) -> None:
    """A response that is cut short, or not HTTP, is a 502 that says so, after one attempt."""
    with scripted_target(answer) as (port, heads):  # type: ignore[arg-type]
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway()
        stack.start_workers()
        response = stack.client.get("/queued")
        assert (response.status_code, problem_of(response)["type"]) == (502, f"urn:fast-priority:{slug}")
        assert len(heads) == 1


@pytest.mark.parametrize("path", ["/queued", "/health"])
@pytest.mark.parametrize(("method", "attempts"), [("GET", 2), ("POST", 1)])
def test_a_target_that_closes_before_it_replies_is_tried_once_more_if_that_does_no_harm(
    stack: Stack, path: str, method: str, attempts: int
) -> None:
    """An idempotent request is sent twice at most, any other once; then it is 502; queued and on pass-through."""
    with scripted_target(_close_silently) as (port, heads):
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway()
        stack.start_workers()
        response = stack.client.request(method, path)
        assert (response.status_code, problem_of(response)["type"]) == (502, "urn:fast-priority:target-closed")
        assert len(heads) == attempts


def test_without_redis_the_answer_is_503_and_comes_back_by_itself(tmp_path: Path) -> None:
    """While Redis is away every request is answered 503; when it is back, gateway and workers continue."""
    port = free_port()
    with running_stack(port, tmp_path) as stack:
        stack.start_mock()
        stack.start_gateway()
        assert stack.client.get("/queued").status_code == 503
        assert stack.health()["redis_reachable"] is False
        with loopback_redis(port):
            stack.start_workers()
            assert stack.client.get("/queued").status_code == 200
        away = stack.client.get("/queued")
        assert (away.status_code, problem_of(away)["type"]) == (503, "urn:fast-priority:broker-unavailable")
        assert "retry-after" in away.headers
        with loopback_redis(port):
            wait_until("a request is carried again", lambda: stack.client.get("/queued").status_code == 200)
            wait_until("the worker is known again", lambda: stack.health()["workers"] == 1)
        assert all(process.poll() is None for process in stack.processes.values())


def test_a_worker_started_without_redis_waits_for_it(tmp_path: Path) -> None:
    """Workers that find no Redis wait for it and do not end."""
    port = free_port()
    with running_stack(port, tmp_path) as stack:
        stack.start_mock()
        stack.start_gateway()
        stack.start(worker_process(1, 1, port))
        with loopback_redis(port):
            wait_until("a request is carried", lambda: stack.client.get("/queued").status_code == 200)


def test_what_a_killed_worker_had_is_answered(stack: Stack) -> None:
    """Of a killed worker's requests, the idempotent ones are sent again and answered; the others are answered 502."""
    stack.start_mock(latency="60")
    stack.start_gateway()
    workers = stack.start_workers(concurrency=2)
    with Background(2) as background:
        posted = background.send(lambda: stack.client.post("/low/posted"))
        got = background.send(lambda: stack.client.get("/low/got"))
        wait_until("both are at the target", lambda: stack.in_flight() == 2)
        stack.mock.patch("/__admin/settings", json={"latency": "0"}).raise_for_status()
        os.killpg(workers.pid, signal.SIGKILL)
        stack.start(worker_process(1, 1, stack.redis_port))
        assert (posted.result().status_code, problem_of(posted.result())["type"]) == (
            502,
            "urn:fast-priority:request-lost",
        )
        assert got.result().status_code == 200
    assert sorted(row["path"] for row in stack.arrivals()) == ["/low/got", "/low/got", "/low/posted"]


def test_a_gateway_that_ends_answers_what_waits(stack: Stack) -> None:
    """A gateway that gets SIGTERM still returns the answer to a request that is at the target."""
    stack.start_mock(latency="1")
    stack.start_gateway()
    stack.start_workers()
    with Background(1) as background:
        answer = background.send(lambda: stack.client.get("/queued"))
        wait_until("it is at the target", lambda: stack.in_flight() == 1)
        stack.processes["gateway"].send_signal(signal.SIGTERM)
        assert answer.result().status_code == 200
    stack.processes["gateway"].wait(30)


def test_nothing_stays_in_redis(stack: Stack) -> None:
    """After requests were answered, refused and withdrawn, every key has a TTL, except rq's registers."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_TTL="2")
    with Background(4) as background:
        for _ in range(4):
            background.send(lambda: stack.client.get("/low/never-served"))
    workers = stack.start_workers(processes=2)
    with Background(20) as background:
        for index in range(200):
            background.send(lambda index=index: stack.client.post(f"/low/{index}", content=b"x" * index))  # type: ignore[misc]
    assert stack.redis.keys("rq:job:*") == []
    assert stack.keys_without_end() <= {"rq:queues", "rq:workers", "rq:workers:high", "rq:workers:low"}
    workers.send_signal(signal.SIGTERM)
    workers.wait(30)
    assert stack.keys_without_end() == {"rq:queues"}


def test_many_clients_get_their_own_answers(stack: Stack) -> None:
    """Each of two hundred concurrent requests gets its own answer, and nothing of another one."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_workers(processes=2, concurrency=8)
    with Background(50) as background:
        asked = {
            index: background.send(lambda index=index: stack.client.get(f"/mine/{index}"))  # type: ignore[misc]
            for index in range(200)
        }
        assert {index: answer.result().json()["path"] for index, answer in asked.items()} == {
            index: f"/mine/{index}" for index in range(200)
        }
