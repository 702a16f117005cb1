"""A gateway with slots forwards queued requests itself, with the same order, limits and answers as workers."""

import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from redis import Redis
from rq import Queue

from fast_priority.local.child_processes import gateway_process
from tests.acceptance.held_target import OK, HeldTarget, held_target
from tests.harness import CLIENT_OPTIONS, Background, Stack, exchange_bytes, free_port, problem_of, wait_until

SLOTS = 4
UPLOAD_BYTES = 8 * 1024 * 1024
RQ_REGISTERS = {"rq:queues", "rq:workers", "rq:workers:high", "rq:workers:low"}


@contextmanager
def held(stack: Stack, slots: int = 1, **environment: str) -> Iterator[HeldTarget]:
    """Start a gateway with so many slots in front of a target whose answers the test sends."""
    with held_target() as target:
        stack.mock_url = f"http://127.0.0.1:{target.port}"
        stack.start_gateway(FAST_PRIORITY_SLOTS=str(slots), **environment)
        yield target


def start_another_gateway(stack: Stack, name: str, slots: int = 0, **environment: str) -> httpx.Client:
    """Start one more gateway on the same queues; return a client of it."""
    port = free_port()
    part = gateway_process(
        stack.mock_url,
        "127.0.0.1",
        port,
        stack.redis_port,
        FAST_PRIORITY_SLOTS=str(slots),
        FAST_PRIORITY_PRIO_BASE_PATHS="low",
        **environment,
    )
    stack.start(type(part)(name, part.arguments, part.environment))
    client = stack.parts.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", **CLIENT_OPTIONS))

    def is_ready() -> bool:
        try:
            return client.get("/gateway_health/live").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(f"{name} answers", is_ready)
    return client


def test_no_worker_is_needed(stack: Stack) -> None:
    """A gateway with slots and a Redis answer requests; health counts the slots, and it is ready."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_SLOTS="4")
    wait_until("it is ready", lambda: stack.client.get("/gateway_health/ready").status_code == 200)
    response = stack.client.post("/somewhere", content=b"body")
    assert (response.status_code, response.json()["body"]) == (200, "body")
    assert (stack.health()["workers"], stack.health()["slots"]) == (1, 4)


def test_nothing_stays_in_redis(stack: Stack) -> None:
    """After many requests, also ones that waited and ones that nobody waited for, Redis holds what it held at rest."""
    stack.start_mock(latency="0.01")
    stack.start_gateway(FAST_PRIORITY_SLOTS="2")
    with Background(30) as background:
        for index in range(200):
            background.send(lambda index=index: stack.client.post(f"/low/{index}", content=b"x" * index))  # type: ignore[misc]
    assert stack.redis.keys("rq:job:*") == []
    assert stack.keys_without_end() <= RQ_REGISTERS
    wait_until("all are settled", lambda: not stack.redis.exists("rq:wip:low"))
    gateway = stack.processes["gateway"]
    gateway.send_signal(signal.SIGTERM)
    gateway.wait(30)
    assert stack.keys_without_end() == {"rq:queues"}


def test_high_goes_first(stack: Stack) -> None:
    """With every slot taken, all queued high requests reach the target before the low ones, each lane oldest first."""
    with held(stack, SLOTS) as target, Background(30) as background:
        for index in range(3 * SLOTS):
            background.send(lambda index=index: stack.client.get(f"/low/{index}"))  # type: ignore[misc]
            wait_until("it is known", lambda index=index: len(target.heads) + stack.queued() == index + 1)  # type: ignore[misc]
        for index in range(SLOTS):
            background.send(lambda index=index: stack.client.get(f"/high/{index}"))  # type: ignore[misc]
            wait_until("it waits", lambda index=index: stack.queued() == 2 * SLOTS + index + 1)  # type: ignore[misc]
        assert len(target.heads) == SLOTS
        for number in range(4 * SLOTS):
            target.answer(number, OK)
            target.until_asked(min(SLOTS + number + 1, 4 * SLOTS))
    high = [f"/high/{index}" for index in range(SLOTS)]
    low = [f"/low/{index}" for index in range(3 * SLOTS)]
    assert sorted(target.paths()[:SLOTS]) == low[:SLOTS]
    assert target.paths()[SLOTS:] == high + low[SLOTS:]


def test_the_slots_are_the_limit(stack: Stack) -> None:
    """With three slots of a gateway, two of another and two of a worker, the target sees seven requests, never more."""
    stack.start_mock(latency="0.1")
    stack.start_gateway(FAST_PRIORITY_SLOTS="3")
    start_another_gateway(stack, "other gateway", slots=2)
    wait_until("both count", lambda: stack.health()["slots"] == 5)
    stack.start_workers(processes=1, concurrency=2)
    with Background(40) as background:
        answers = [background.send(lambda: stack.client.get("/busy")) for _ in range(160)]
        statuses = {answer.result().status_code for answer in answers}
    assert statuses == {200}
    assert max(row["in_flight"] for row in stack.arrivals()) == 7
    assert len(stack.arrivals()) == 160


def test_bodies_do_not_pass_through_redis(stack: Stack, redis: Redis) -> None:
    """A large upload and a large download are whole, and Redis has carried neither."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_SLOTS="1")
    before = redis.info("stats")
    body = os.urandom(UPLOAD_BYTES)
    sent = stack.client.post("/upload", content=iter([body[:1000], body[1000:]]))
    assert sent.json()["body_sha256"] == hashlib.sha256(body).hexdigest()
    fetched = stack.client.get(f"/download?mock_size={UPLOAD_BYTES}")
    assert len(fetched.content) == UPLOAD_BYTES
    after = redis.info("stats")
    carried = sum(after[name] - before[name] for name in ("total_net_input_bytes", "total_net_output_bytes"))
    assert carried < UPLOAD_BYTES / 10


def test_a_client_that_leaves_while_its_request_waits(stack: Stack) -> None:
    """Its request never reaches the target, and its queue is empty again."""
    with held(stack) as target, Background(2) as background:
        first = background.send(lambda: stack.client.get("/first"))
        target.until_asked(1)
        with pytest.raises(httpx.ReadTimeout):
            stack.client.get("/left", timeout=0.2)
        wait_until("it is withdrawn", lambda: stack.queued() == 0)
        target.answer(0, OK)
        assert first.result().status_code == 200
        last = background.send(lambda: stack.client.get("/last"))
        target.until_asked(2)
        target.answer(1, OK)
        assert last.result().status_code == 200
    assert target.paths() == ["/first", "/last"]


def test_a_client_that_leaves_ends_the_call(stack: Stack) -> None:
    """A client that leaves while the target works ends the call and frees the slot."""
    with held(stack) as target, Background(1) as background:
        with pytest.raises(httpx.ReadTimeout):
            stack.client.get("/left", timeout=0.2)
        assert target.is_closed(0)
        last = background.send(lambda: stack.client.get("/last"))
        target.until_asked(2)
        target.answer(1, OK)
        assert last.result().status_code == 200


def test_a_request_that_waits_too_long(stack: Stack) -> None:
    """After its TTL a request is answered 503, and does not reach the target."""
    with held(stack, FAST_PRIORITY_TTL="1") as target, Background(1) as background:
        first = background.send(lambda: stack.client.get("/first"))
        target.until_asked(1)
        response = stack.client.get("/too-long")
        assert (response.status_code, problem_of(response)["type"]) == (503, "urn:fast-priority:waited-too-long")
        target.answer(0, OK)
        assert first.result().status_code == 200
    assert target.paths() == ["/first"]


def test_a_full_queue(stack: Stack) -> None:
    """A request that finds its queue full is answered 503 at once; one of the other queue waits."""
    with held(stack, FAST_PRIORITY_MAX_QUEUED_LOW="1") as target, Background(3) as background:
        waiting = [background.send(lambda: stack.client.get("/low"))]
        target.until_asked(1)
        waiting.append(background.send(lambda: stack.client.get("/low")))
        wait_until("one waits", lambda: stack.queued() == 1)
        response = stack.client.get("/low")
        assert (response.status_code, problem_of(response)["type"]) == (503, "urn:fast-priority:queue-full")
        waiting.append(background.send(lambda: stack.client.get("/high")))
        wait_until("the high one waits", lambda: stack.queued() == 2)
        for number in range(3):
            target.until_asked(number + 1)
            target.answer(number, OK)
        assert [each.result().status_code for each in waiting] == [200] * 3


def test_rq_suspend_holds_the_slots_back(stack: Stack, redis: Redis) -> None:
    """While rq suspends the workers, requests wait; afterwards they are forwarded."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_SLOTS="2")
    redis.set("rq:suspended", 1)
    with Background(2) as background:
        waiting = [background.send(lambda: stack.client.get("/waits")) for _ in range(2)]
        wait_until("both wait", lambda: stack.queued() == 2)
        assert stack.arrivals() == []
        redis.delete("rq:suspended")
        assert [each.result().status_code for each in waiting] == [200, 200]


def test_a_job_of_somebody_else(stack: Stack, redis: Redis) -> None:
    """A job that no gateway made is not run: it goes to rq's failed registry with a reason, and costs no slot."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_SLOTS="1")
    job = Queue("low", connection=redis).enqueue("os.getcwd")
    wait_until("it has failed", lambda: job.get_status() == "failed")
    result = job.latest_result()
    assert result is not None
    assert "os.getcwd" in (result.exc_string or "")
    assert stack.client.get("/next").status_code == 200


@pytest.mark.parametrize("path", ["/low", "/high"])
def test_slots_serve_other_gateways(stack: Stack, path: str) -> None:
    """A gateway without slots has its requests forwarded with the slots of another, bodies of every size included."""
    stack.start_mock()
    stack.start_gateway()
    start_another_gateway(stack, "gateway with slots", slots=2)
    for size in (0, 10, UPLOAD_BYTES):
        response = stack.client.post(path, content=b"x" * size)
        assert (response.status_code, response.json()["body_length"]) == (200, size)
    assert stack.redis.keys("rq:job:*") == []


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_lender(stack: Stack, ending: signal.Signals) -> None:
    """If the gateway that lends the slot is killed or frozen, the call ends: a GET is sent again, a POST is not."""
    with held_target() as target:
        stack.mock_url = f"http://127.0.0.1:{target.port}"
        stack.start_gateway()
        start_another_gateway(stack, "lender", slots=2)
        with Background(2) as background:
            posted = background.send(lambda: stack.client.post("/post", content=b"x"))
            target.until_asked(1)
            got = background.send(lambda: stack.client.get("/get"))
            target.until_asked(2)
            os.kill(stack.processes["lender"].pid, ending)
            try:
                assert posted.result().status_code == 502
                assert problem_of(posted.result())["type"] == "urn:fast-priority:request-lost"
                start_another_gateway(stack, "second lender", slots=2)
                target.until_asked(3)
                target.answer(2, OK)
                assert got.result().status_code == 200
            finally:
                if ending == signal.SIGSTOP:
                    os.kill(stack.processes["lender"].pid, signal.SIGCONT)
    assert target.paths() == ["/post", "/get", "/get"]


def test_a_borrower_that_is_killed_frees_the_slot(stack: Stack) -> None:
    """If the gateway that has borrowed a slot is killed, its call ends, and the slot serves the next request."""
    with held(stack) as target, Background(2) as background:
        borrower = start_another_gateway(stack, "borrower")
        lost = background.send(lambda: borrower.get("/borrowed"))
        target.until_asked(1)
        os.kill(stack.processes["borrower"].pid, signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            lost.result()
        assert target.is_closed(0)
        own = background.send(lambda: stack.client.get("/own"))
        target.until_asked(2)
        target.answer(1, OK)
        assert own.result().status_code == 200


def test_the_name_of_a_killed_gateway_is_removed(stack: Stack, redis: Redis) -> None:
    """rq's registers do not grow with each gateway that is killed: the next one removes its name."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_SLOTS="1")
    wait_until("it is registered", lambda: redis.scard("rq:workers") == 1)
    (name,) = redis.smembers("rq:workers")
    os.kill(stack.processes["gateway"].pid, signal.SIGKILL)
    stack.processes["gateway"].wait(30)
    redis.delete(name)  # as if its record had expired
    stack.start_gateway(FAST_PRIORITY_SLOTS="1")
    wait_until("the next one is registered", lambda: stack.health()["workers"] == 1)
    for register in ("rq:workers", "rq:workers:high", "rq:workers:low"):
        assert name not in redis.smembers(register)
        assert redis.scard(register) == 1


def test_a_gateway_that_ends_answers_what_came(stack: Stack) -> None:
    """At SIGTERM a gateway with slots answers what is in flight and what waits, and a slot that it lends is kept."""
    with held(stack, 2) as target, ExitStack() as ends, Background(6) as background:
        borrower = start_another_gateway(stack, "borrower")
        lent = background.send(lambda: borrower.get("/lent"))
        target.until_asked(1)
        own = [background.send(lambda: stack.client.get("/own")) for _ in range(3)]
        wait_until("two wait", lambda: stack.queued() == 2)
        target.until_asked(2)
        gateway = stack.processes["gateway"]
        gateway.send_signal(signal.SIGTERM)
        ends.callback(gateway.wait, 30)
        for number in (1, 2, 3):
            target.until_asked(number + 1)
            target.answer(number, OK)
        assert [each.result().status_code for each in own] == [200] * 3
        target.answer(0, OK)
        assert lent.result().status_code == 200


def test_a_redis_that_comes_back(stack: Stack, redis: Redis) -> None:
    """Connections to Redis that break lose no request: each is answered, and each POST reaches the target once."""
    stack.start_mock(latency="0.02")
    stack.start_gateway(FAST_PRIORITY_SLOTS="2")
    with Background(12) as background:
        answers = [background.send(lambda: stack.client.post("/once", content=b"x")) for _ in range(150)]
        for number in range(8):
            wait_until("some more have come", lambda number=number: len(stack.arrivals()) > 10 * number)  # type: ignore[misc]
            redis.client_kill_filter(_type="normal", skipme=True)
        assert [answer.result().status_code for answer in answers] == [200] * 150
    assert len(stack.arrivals()) == 150


def test_a_stream_comes_piece_by_piece(stack: Stack) -> None:
    """A client receives the first event of a stream while the target still holds the others back."""
    with held(stack) as target, socket.create_connection(("127.0.0.1", stack.gateway_port), timeout=30) as client:
        client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        target.until_asked(1)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        target.answer(0, head + b"7\r\ndata: 1\r\n")
        received = b""
        while b"data: 1" not in received:
            received += client.recv(4096)
        target.answer(0, b"0\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")


def test_a_client_of_http_1_0(stack: Stack) -> None:
    """A client of HTTP/1.0 gets a whole response."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_SLOTS="1")
    received = exchange_bytes(stack.gateway_port, b"GET /old HTTP/1.0\r\nHost: x\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 OK")
