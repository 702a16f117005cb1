"""More than two levels, and a change of the levels while gateways and workers run."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from fast_priority.broker import keys
from fast_priority.local.child_processes import gateway_process, wait_until_answers
from loadtests.oracle import Verdict, judge_order
from loadtests.records import Arrival, SentRequest, join_records
from tests.acceptance.held_target import OK, HeldTarget, held_target
from tests.harness import CLIENT_OPTIONS, Background, Stack, free_port, wait_until

LEVELS = ["urgent", "high", "normal", "low", "batch"]
RULES = "\n".join(
    f'[[rule]]\nname = "{level}"\nheader = {{ "X-Level" = "{level}" }}\nlevel = "{level}"' for level in LEVELS
)


class Gateway:
    """One more gateway at the Redis of a stack."""

    def __init__(self, stack: Stack, parts: ExitStack, target: str, **environment: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        process = stack.start(gateway_process(target, "127.0.0.1", port, stack.redis_port, **environment))
        wait_until_answers(process, "gateway", f"{self.url}/gateway_health/live")
        self.client = parts.enter_context(httpx.Client(base_url=self.url, **CLIENT_OPTIONS))

    def readiness(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/gateway_health/ready").json()
        return found

    def is_ready(self) -> bool:
        return bool(self.readiness()["ready"])

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/gateway_health").json()
        return found

    def ask(self, background: Background, level: str, name: str = "") -> "Future[httpx.Response]":
        """Send a request of a level, and return when it waits."""
        before = self.health()["queue"][level]
        path = f"/{name or level}"
        sent = background.send(lambda: self.client.get(path, headers={"X-Level": level}))
        wait_until(f"{path} waits", lambda: self.health()["queue"][level] == before + 1)
        return sent


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy file whose rules let a field name the level."""
    path = tmp_path / "policy.toml"
    path.write_text(f"levels = {json.dumps(LEVELS)}\n[level.batch]\nttl = 600\n{RULES}")
    return str(path)


def logs(stack: Stack) -> str:
    """Return what all gateways have logged."""
    return "".join(path.read_text() for path in stack.logs.glob("gateway-*.log"))


@contextmanager
def one_slot_taken(stack: Stack, background: Background, gateway: Gateway, target: HeldTarget) -> Iterator[None]:
    """Let one slot be taken, and answer its request at the end."""
    first = background.send(lambda: gateway.client.get("/first"))
    target.until_asked(1)
    yield
    target.answer(0, OK)
    assert first.result().status_code == 200


@pytest.mark.parametrize("slots", ["worker", "gateway"])
def test_five_levels(stack: Stack, policy: str, slots: str) -> None:
    """Requests of five levels start strictly in the order of the levels; the worker knows only its Redis."""
    with ExitStack() as parts, Background(8) as background, held_target() as target:
        own = {"FAST_PRIORITY_SLOTS": "1"} if slots == "gateway" else {}
        url = f"http://127.0.0.1:{target.port}"
        gateway = Gateway(stack, parts, url, FAST_PRIORITY_POLICY_FILE=policy, **own)
        stack.client.base_url = httpx.URL(gateway.url)
        if slots == "worker":
            stack.start_workers(1, 1)
        wait_until("it is ready", gateway.is_ready)
        with one_slot_taken(stack, background, gateway, target):
            sent = [gateway.ask(background, level) for level in reversed(LEVELS)]
            assert gateway.health()["queue"] == dict.fromkeys(["high", "low", *LEVELS], 1)
        for number in range(1, 6):
            target.until_asked(number + 1)
            target.answer(number, OK)
        assert {answer.result().status_code for answer in sent} == {200}
        assert target.paths() == ["/first", *(f"/{level}" for level in LEVELS)]


def test_the_levels_change(stack: Stack, policy: str) -> None:
    """A gateway with other levels is not ready until it takes over; the older one adopts, and nothing is lost."""
    with ExitStack() as parts, Background(8) as background, held_target() as target:
        url = f"http://127.0.0.1:{target.port}"
        old = Gateway(stack, parts, url, FAST_PRIORITY_POLICY_FILE=policy)
        stack.client.base_url = httpx.URL(old.url)
        stack.start_workers(1, 1)
        wait_until("it is ready", old.is_ready)
        with one_slot_taken(stack, background, old, target):
            waiting = [old.ask(background, level) for level in ("batch", "low", "normal")]

            stranger = Gateway(stack, parts, url)
            wait_until("it finds others", lambda: not stranger.is_ready())
            (reason,) = stranger.readiness()["reasons"]
            assert "high,low" in reason
            assert ",".join(LEVELS) in reason
            assert reason in stranger.health()["warnings"]
            assert old.is_ready()

            new = Gateway(stack, parts, url, FAST_PRIORITY_POLICY_CHANGE="1")
            wait_until("its levels are in force", lambda: stack.redis.hget(keys.LEVELS, "levels") == b"high low")
            wait_until("the older one adopts them", lambda: "has taken over" in logs(stack))
            wait_until("all are ready", lambda: old.is_ready() and new.is_ready() and stranger.is_ready())
            # `normal` is not in force any more: what is sent for it now waits with the low ones.
            low = old.health()["queue"]["low"]
            waiting.append(background.send(lambda: old.client.get("/late", headers={"X-Level": "normal"})))
            wait_until("it waits", lambda: old.health()["queue"]["low"] == low + 1)
        for number in range(1, 5):
            target.until_asked(number + 1)
            target.answer(number, OK)
        assert {answer.result().status_code for answer in waiting} == {200}
        assert target.paths()[1:] == ["/normal", "/low", "/late", "/batch"]
        wait_until("removed levels are gone", lambda: set(new.health()["queue"]) == {"high", "low"})
        assert "levels urgent,high,normal,low,batch; all paths high" in logs(stack)


REQUESTS = 30  # of each level: enough for the oracle to prove an order
TOLERANCE_SECONDS = 0.1


async def _sent(stack: Stack, levels: list[str]) -> list[SentRequest]:
    """Send the requests of each level together, those of the last level first. All wait before the first one starts."""
    url = stack.url
    stack.redis.set(keys.SUSPENDED, "1")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(level: str, number: int) -> SentRequest:
            name, sent_at = f"{level}-{number}", time.time()
            fields = {"X-Request-ID": name, "X-Level": level}
            async with session.get(f"{url}/any", headers=fields) as response:
                await response.read()
                return SentRequest(name, level, sent_at, time.time(), "answered", response.status)

        async def waiting(level: str) -> int:
            async with session.get(f"{url}/gateway_health") as response:
                count: int = (await response.json())["queue"][level]
                return count

        sending: list[asyncio.Task[SentRequest]] = []
        for level in reversed(levels):
            sending += [asyncio.create_task(send(level, number)) for number in range(REQUESTS)]
            begun_at = time.monotonic()
            while await waiting(level) < REQUESTS or time.monotonic() < begun_at + 1.2 * TOLERANCE_SECONDS:
                await asyncio.sleep(0)
        stack.redis.delete(keys.SUSPENDED)
        return await asyncio.gather(*sending)


@pytest.mark.parametrize(("count", "slots"), [(3, "worker"), (5, "worker"), (5, "gateway")])
def test_the_order_of_each_pair_is_proved(stack: Stack, tmp_path: Path, count: int, slots: str) -> None:
    """Under load, no request of any level reaches the target while one of a more important level waits."""
    levels = ["urgent", "high", "normal", "low", "batch"] if count == 5 else ["high", "normal", "low"]
    rules = tmp_path / "policy.toml"
    rules.write_text(
        "\n".join(f'[[rule]]\nname = "{one}"\nheader = {{ "X-Level" = "{one}" }}\nlevel = "{one}"' for one in levels)
    )
    stack.start_mock(latency="uniform:0.08,0.12")
    own = {"FAST_PRIORITY_SLOTS": "3"} if slots == "gateway" else {}
    stack.start_gateway(FAST_PRIORITY_LEVELS=",".join(levels), FAST_PRIORITY_POLICY_FILE=str(rules), **own)
    if slots == "worker":
        stack.start_workers(1, 3)
    sent = asyncio.run(_sent(stack, levels))
    assert {one.status for one in sent} == {200}
    traces = join_records(sent, [Arrival.from_dict(row) for row in stack.arrivals()])
    order = judge_order(traces, TOLERANCE_SECONDS, levels)
    assert order.finding.verdict is Verdict.PROVED, order.finding
