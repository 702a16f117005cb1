"""High overtakes low, as the log of the target shows."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from tests.acceptance.held_target import OK, HeldTarget, held_target
from tests.harness import Background, Stack, wait_until

SLOTS = 4
LOW, HIGH = 60, 40


async def _mixed_load(url: str) -> tuple[dict[str, float], int]:
    """Send 60 low and 40 high requests while slots become free.

    Return for each high one a time at which it was certainly queued, and how many low ones were still queued at the
    last of these times.
    """
    queued_at: dict[str, float] = {}

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(path: str, request_id: str) -> None:
            async with session.get(f"{url}{path}", headers={"X-Request-ID": request_id}) as response:
                assert response.status == 200

        async def waiting() -> dict[str, int]:
            async with session.get(f"{url}/gateway_health") as response:
                counts: dict[str, int] = (await response.json())["queue"]
                return counts

        low = [asyncio.create_task(send("/low/x", f"low-{index}")) for index in range(LOW)]
        while (await waiting())["low"] < LOW // 2:
            await asyncio.sleep(0)
        high = []
        for index in range(HIGH):
            high.append(asyncio.create_task(send("/high", f"high-{index}")))
            # The gateway reads Redis for this health check after it has queued the request.
            await asyncio.sleep(0.002)
            left = (await waiting())["low"]
            queued_at[f"high-{index}"] = time.time()
        await asyncio.gather(*low, *high)
    return queued_at, left


@pytest.mark.timeout(300)
@pytest.mark.parametrize("processes", [1, 4])
def test_every_high_request_is_claimed_before_the_low_ones_that_were_queued(stack: Stack, processes: int) -> None:
    """With 4 slots and 60 low requests, each of 40 high requests overtakes all low ones that are still queued."""
    # Long enough for high requests to come faster than slots become free, on a slow machine too.
    stack.start_mock(latency="0.2")
    stack.start_gateway()
    stack.start_workers(processes=processes, concurrency=SLOTS // processes)
    queued_at, low_left = asyncio.run(_mixed_load(stack.url))
    log = stack.arrivals()
    assert Counter(row["request_id"].split("-")[0] for row in log) == {"low": LOW, "high": HIGH}
    assert low_left > 0, "no high request had a low one to overtake"
    position = {row["request_id"]: index for index, row in enumerate(log)}
    for request_id, moment in queued_at.items():
        # At that moment each slot can have one low request on its way to the target; all other low ones were queued.
        before = [
            row
            for row in log[: position[request_id]]
            if row["request_id"].startswith("low") and row["arrived_at"] > moment
        ]
        assert len(before) <= SLOTS, f"{request_id}, queued at {moment}, was overtaken by {before}"
    assert max(row["in_flight"] for row in log) == SLOTS


@pytest.mark.parametrize("processes", [1, 4])
def test_what_is_queued_is_claimed_in_order(stack: Stack, processes: int) -> None:
    """With every slot held by a low request, all queued high requests reach the target before the queued low ones."""
    with _held(stack, SLOTS, processes) as target, Background(3 * SLOTS + HIGH) as background:
        for index in range(3 * SLOTS):
            background.send(lambda index=index: stack.client.get(f"/low/{index}"))  # type: ignore[misc]
        target.until_asked(SLOTS)
        for index in range(HIGH):
            background.send(lambda index=index: stack.client.get(f"/high/{index}"))  # type: ignore[misc]
        wait_until("the others are queued", lambda: stack.queued() == 2 * SLOTS + HIGH)
        _answer_all(target, 3 * SLOTS + HIGH, SLOTS)
    order = [path.split("/")[1] for path in target.paths()]
    assert order == ["low"] * SLOTS + ["high"] * HIGH + ["low"] * 2 * SLOTS


def test_the_target_never_sees_more_than_the_slots(stack: Stack) -> None:
    """Two processes with three slots each send six requests to the target at once, and never a seventh."""
    stack.start_mock(latency="0.1")
    stack.start_gateway()
    stack.start_workers(processes=2, concurrency=3)
    with Background(40) as background:
        for _ in range(120):
            background.send(lambda: stack.client.get("/busy"))
    assert max(row["in_flight"] for row in stack.arrivals()) == 6


def test_a_worker_holds_nothing_that_it_has_no_slot_for(stack: Stack) -> None:
    """With one slot busy, everything else waits on the queue, where high can still overtake it."""
    with _held(stack) as target, Background(6) as background:
        for number in range(5):
            background.send(lambda: stack.client.get("/low"))
            wait_until("it is at the target, or waits", lambda number=number: stack.queued() == number)  # type: ignore[misc]
        target.until_asked(1)
        background.send(lambda: stack.client.get("/high"))
        wait_until("all others wait", lambda: stack.queued() == 5)
        _answer_all(target, 6)
    assert target.paths() == ["/low", "/high", *["/low"] * 4]


def test_requests_of_one_priority_are_served_oldest_first(stack: Stack) -> None:
    """With one slot, requests that wait on one queue reach the target in the order in which they came."""
    with _held(stack) as target, Background(9) as background:
        for index in range(9):
            background.send(lambda index=index: stack.client.get(f"/low/{index}"))  # type: ignore[misc]
            wait_until("it is known", lambda index=index: len(target.heads) + stack.queued() == index + 1)  # type: ignore[misc]
        _answer_all(target, 9)
    assert target.paths() == [f"/low/{index}" for index in range(9)]


@contextmanager
def _held(stack: Stack, slots: int = 1, processes: int = 1) -> Iterator[HeldTarget]:
    """Start gateway and workers in front of a target that answers when the test says so."""
    with held_target() as target:
        stack.mock_url = f"http://127.0.0.1:{target.port}"
        stack.start_gateway()
        stack.start_workers(processes=processes, concurrency=slots // processes)
        yield target


def _answer_all(target: HeldTarget, count: int, slots: int = 1) -> None:
    """Answer one request at a time, so that only one slot is free and nothing else is on its way to the target."""
    for number in range(count):
        target.answer(number, OK)
        target.until_asked(min(number + 1 + slots, count))
