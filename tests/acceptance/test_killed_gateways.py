"""A gateway that is killed: nothing that it has queued reaches the target later than 5 s after its death."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from subprocess import Popen

import httpx
import pytest

from fast_priority.local.child_processes import gateway_process, wait_until_answers
from tests.harness import CLIENT_OPTIONS, Background, Stack, free_port, wait_until

AFTER_DEATH_SECONDS = 5.5
HANGS = "?mock_fault=hang"


@contextmanager
def another_gateway(stack: Stack, **environment: str) -> Iterator[tuple["Popen[bytes]", httpx.Client]]:
    """Start one more gateway, and yield its process and a client of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    part = gateway_process(stack.mock_url, "127.0.0.1", port, stack.redis_port, **environment)
    process = stack.start(part)
    wait_until_answers(process, "gateway", f"{url}/gateway_health/live", 60)
    with httpx.Client(base_url=url, **CLIENT_OPTIONS) as client:
        yield process, client


def kill(process: "Popen[bytes]") -> float:
    """Kill a process, and return when it was dead."""
    process.kill()
    process.wait()
    return time.monotonic()


def queue_ten(background: Background, stack: Stack, client: httpx.Client) -> None:
    """Queue ten requests, half of which may be sent twice, and both queues among them."""
    before = stack.redis.llen("rq:queue:high") + stack.redis.llen("rq:queue:low")
    for number in range(10):
        path = f"/{('orphan', 'low/orphan')[number % 2]}/{number}"
        background.send(partial(client.request, ("GET", "POST")[number // 2 % 2], path))
    wait_until("all ten wait", lambda: waiting(stack) == before + 10)


def waiting(stack: Stack) -> int:
    return int(stack.redis.llen("rq:queue:high") + stack.redis.llen("rq:queue:low"))


def orphans(stack: Stack) -> list[str]:
    return [row["path"] for row in stack.arrivals() if "orphan" in row["path"]]


def started(stack: Stack) -> int:
    return int(stack.redis.zcard("rq:wip:high") + stack.redis.zcard("rq:wip:low"))


def wait_after(death: float) -> None:
    wait_until(f"{AFTER_DEATH_SECONDS} s have passed", lambda: time.monotonic() > death + AFTER_DEATH_SECONDS)


def resumed(stack: Stack) -> None:
    stack.redis.delete("rq:suspended")


def new_worker(stack: Stack) -> None:
    with another_gateway(stack) as (_, client):
        stack.client = client
        stack.start_workers(concurrency=10)


def stock_worker(stack: Stack) -> None:
    with another_gateway(stack) as (_, client):
        stack.client = client
        stack.start_stock_worker()


@pytest.mark.parametrize("free_slots", [resumed, new_worker, stock_worker], ids=lambda free: free.__name__)
def test_no_orphan_is_sent(stack: Stack, free_slots: Callable[[Stack], None]) -> None:
    """Of ten queued requests of a dead gateway none is sent by slots that are free later, of whatever worker."""
    stack.start_mock()
    stack.start_gateway()
    if free_slots is resumed:
        stack.start_workers(concurrency=10)
        stack.redis.set("rq:suspended", "1")
    with Background(10) as background:
        queue_ten(background, stack, stack.client)
        wait_after(kill(stack.processes["gateway"]))
    free_slots(stack)
    wait_until("nothing waits", lambda: waiting(stack) == 0 and started(stack) == 0, 60)
    assert orphans(stack) == []


def test_a_call_in_flight_is_broken_off(stack: Stack) -> None:
    """The target sees the end of the calls of a dead gateway, and their slots are free; those of others go on."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_workers(concurrency=3)
    with another_gateway(stack) as (other, client), Background(3) as background:
        background.send(partial(stack.client.get, f"/stays{HANGS}"))
        for method in ("GET", "POST"):
            background.send(partial(client.request, method, f"/ends{HANGS}"))
        wait_until("all are at the target", lambda: stack.in_flight() == 3)
        kill(other)
        wait_until("two have ended", lambda: stack.in_flight() == 1 and started(stack) == 1)
        assert [row["path"] for row in stack.arrivals()].count("/ends") == 2
        assert stack.client.get("/next").status_code == 200
        kill(stack.processes["mock target"])


def test_slots_that_were_lent_to_it_are_free(stack: Stack) -> None:
    """A gateway with slots gets back what it lent to a dead one, and lends nothing more to it."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_SLOTS="2")
    with another_gateway(stack) as (other, client), Background(14) as background:
        for method in ("GET", "POST"):
            background.send(partial(client.request, method, f"/lent{HANGS}"))
        wait_until("both are at the target", lambda: stack.in_flight() == 2)
        queue_ten(background, stack, client)
        kill(other)
        wait_until("its calls have ended", lambda: stack.in_flight() == 0)
        answers = [background.send(partial(stack.client.get, f"/own{number}")) for number in range(2)]
        assert [answer.result().status_code for answer in answers] == [200] * 2
        wait_until("nothing waits", lambda: waiting(stack) == 0 and started(stack) == 0)
        assert orphans(stack) == []


def test_a_gateway_with_slots_dies(stack: Stack) -> None:
    """Its own calls end with it, calls on slots that it has lent break off, and nothing that it queued is sent."""
    stack.start_mock()
    stack.start_gateway()
    with another_gateway(stack, FAST_PRIORITY_SLOTS="2") as (other, client), Background(14) as background:
        background.send(partial(client.get, f"/own{HANGS}"))
        wait_until("its own call is at the target", lambda: stack.in_flight() == 1)
        lent = background.send(partial(stack.client.post, f"/lent{HANGS}"))
        wait_until("both are at the target", lambda: stack.in_flight() == 2)
        queue_ten(background, stack, client)
        death = kill(other)
        wait_until("its own call has ended", lambda: stack.in_flight() <= 1)
        assert lent.result().status_code == 502
        wait_until("the other has ended, too", lambda: stack.in_flight() == 0)
        wait_after(death)
        stack.start_workers(concurrency=10)
        wait_until("nothing waits", lambda: waiting(stack) == 0 and started(stack) == 0)
        assert orphans(stack) == []
        assert stack.client.get("/next").status_code == 200
