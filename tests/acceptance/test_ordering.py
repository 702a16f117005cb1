"""High overtakes low, as the log of the target shows."""

import asyncio
import time
from collections import Counter

import aiohttp
import pytest

from tests.harness import Background, Stack, wait_until

RUNS = 5
SLOTS = 4
LOW, HIGH = 60, 40
LONGEST_HOP_SECONDS = 0.1
"""More than the time from a claim to the target. High requests wait several times as long, so it hides nothing."""


async def _mixed_load(url: str) -> dict[str, float]:
    """Send 60 low and 40 high requests; return for each high one a time at which it was certainly queued."""
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
            await waiting()
            queued_at[f"high-{index}"] = time.time()
        await asyncio.gather(*low, *high)
    return queued_at


@pytest.mark.timeout(300)
@pytest.mark.parametrize("processes", [1, 4])
def test_every_high_request_is_claimed_before_the_low_ones_that_were_queued(stack: Stack, processes: int) -> None:
    """With 4 slots and 60 low requests, each of 40 high requests overtakes all low ones that are still queued."""
    # Long enough for high requests to come faster than slots become free, on a slow machine too.
    stack.start_mock(latency="0.2")
    stack.start_gateway()
    stack.start_workers(processes=processes, concurrency=SLOTS // processes)
    for _ in range(RUNS if processes == 1 else 2):
        stack.forget_arrivals()
        queued_at = asyncio.run(_mixed_load(stack.url))
        log = stack.arrivals()
        assert Counter(row["request_id"].split("-")[0] for row in log) == {"low": LOW, "high": HIGH}
        position = {row["request_id"]: index for index, row in enumerate(log)}
        longest_wait_seconds = 0.0
        for request_id, moment in queued_at.items():
            longest_wait_seconds = max(longest_wait_seconds, log[position[request_id]]["arrived_at"] - moment)
            # At that moment each slot can have one low request on its way to the target, for no longer than the longest
            # hop; all other low ones were still queued.
            before = [
                row
                for row in log[: position[request_id]]
                if row["request_id"].startswith("low") and row["arrived_at"] > moment
            ]
            assert len(before) <= SLOTS, f"{request_id} was overtaken by {before}"
            late = [row for row in before if row["arrived_at"] > moment + LONGEST_HOP_SECONDS]
            assert late == [], f"{request_id}, queued at {moment}, was overtaken"
        assert longest_wait_seconds > 2 * LONGEST_HOP_SECONDS, "no high request waited long enough to prove anything"
        assert max(row["in_flight"] for row in log) == SLOTS


def test_the_target_never_sees_more_than_the_slots(stack: Stack) -> None:
    """Two processes with three slots each send six requests to the target at once, and never a seventh."""
    stack.start_mock(latency="0.02")
    stack.start_gateway()
    stack.start_workers(processes=2, concurrency=3)
    with Background(40) as background:
        for _ in range(120):
            background.send(lambda: stack.client.get("/busy"))
    assert max(row["in_flight"] for row in stack.arrivals()) == 6


def test_a_worker_holds_nothing_that_it_has_no_slot_for(stack: Stack) -> None:
    """With one slot busy, everything else waits on the queue, where high can still overtake it."""
    stack.start_mock(latency="0.5")
    stack.start_gateway()
    stack.start_workers(concurrency=1)
    with Background(6) as background:
        answers = [background.send(lambda: stack.client.get("/low/x")) for _ in range(5)]
        wait_until("one is at the target and four wait", lambda: stack.queued() == 4 and stack.in_flight() == 1)
        background.send(lambda: stack.client.get("/high")).result()
        assert [answer.done() for answer in answers].count(True) <= 2
    assert [row["path"] for row in stack.arrivals()][1:2] == ["/high"]


def test_requests_of_one_priority_are_served_oldest_first(stack: Stack) -> None:
    """With one slot, requests that wait on one queue reach the target in the order in which they came."""
    stack.start_mock(latency="0.05")
    stack.start_gateway()
    stack.start_workers(concurrency=1)
    with Background(12) as background:
        background.send(lambda: stack.client.get("/low/first"))
        wait_until("the slot is taken", lambda: stack.in_flight() == 1)
        for index in range(8):
            background.send(lambda index=index: stack.client.get(f"/low/{index}"))  # type: ignore[misc]
            wait_until(f"request {index} is known", lambda index=index: _sent(stack) > index)  # type: ignore[misc]
    assert [row["path"] for row in stack.arrivals()][1:] == [f"/low/{index}" for index in range(8)]


def _sent(stack: Stack) -> int:
    return stack.queued() + len(stack.arrivals()) - 1
