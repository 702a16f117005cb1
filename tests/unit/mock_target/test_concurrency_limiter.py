"""The concurrency limit: which requests work, wait, or are refused."""

import asyncio
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mock_target import MockSettings, create_app
from mock_target.handler.asgi_types import App
from mock_target.state.concurrency_limiter import Limiter, Permit, QueueFull
from tests.unit.mock_target.mock_rig import DirectRequest, client_of, let_tasks_run


class LimiterMachine(RuleBasedStateMachine):
    """A limiter, and a model of which requests should work and wait."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.limiter = Limiter(2, 2)
        self.limit: int | None = 2
        self.working = 0
        self.waiting: list[Permit] = []

    def teardown(self) -> None:
        self.loop.close()

    def settle(self) -> None:
        """A client that gets a permit was the first in the queue."""
        while self.waiting and self.waiting[0].done():
            self.waiting.pop(0)
            self.working += 1
        assert not any(permit.done() for permit in self.waiting)

    @rule()
    def acquire(self) -> None:
        async def acquire() -> Permit | None:
            return self.limiter.acquire()

        try:
            permit = self.loop.run_until_complete(acquire())
        except QueueFull:
            assert self.limit is not None
            assert self.working >= self.limit
            return
        if permit is None:
            assert not self.waiting
            self.working += 1
        else:
            self.waiting.append(permit)

    @precondition(lambda self: self.working > 0)
    @rule()
    def release(self) -> None:
        self.limiter.release()
        self.working -= 1
        self.settle()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        permit = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        self.limiter.cancel(permit)
        self.settle()

    @rule(limit=st.none() | st.integers(1, 4), max_queued=st.integers(0, 3))
    def change(self, limit: int | None, max_queued: int) -> None:
        self.limit = limit
        self.limiter.change(limit, max_queued)
        self.settle()

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        assert (self.limiter.working, self.limiter.queued) == (self.working, len(self.waiting))
        if self.waiting:
            assert self.limit is not None
            assert self.working >= self.limit


TestLimiter = LimiterMachine.TestCase


@given(st.integers(1, 5), st.integers(0, 5), st.integers(1, 20))
def test_no_more_than_the_limit_ever_work(limit: int, max_queued: int, requests: int) -> None:
    """Of requests that come at once, `limit` work, `max_queued` wait, and the rest are refused and counted."""

    async def come_all_at_once() -> None:
        limiter = Limiter(limit, max_queued)
        for _ in range(requests):
            with suppress(QueueFull):
                limiter.acquire()
        assert limiter.working == min(requests, limit)
        assert limiter.queued == min(max(requests - limit, 0), max_queued)
        assert limiter.rejected == max(requests - limit - max_queued, 0)

    asyncio.run(come_all_at_once())


async def test_a_permit_that_comes_too_late_goes_to_the_next() -> None:
    """If a request is cancelled when its permit is granted, the next one gets the permit."""
    limiter = Limiter(1, 2)
    limiter.acquire()
    late, following = limiter.acquire(), limiter.acquire()
    assert late is not None
    assert following is not None
    limiter.release()
    assert (late.done(), following.done()) == (True, False)
    limiter.cancel(late)
    assert (following.done(), limiter.working) == (True, 1)


async def app_with(**settings: object) -> App:
    app = create_app(MockSettings(latency="3600"))
    async with client_of(app) as client:
        assert (await client.patch("/__admin/settings", json=settings)).status_code == 200
    return app


async def counts(app: App) -> dict[str, int]:
    async with client_of(app) as client:
        report: dict[str, int] = (await client.get("/__admin/arrivals?last=0")).json()
    return {name: report[name] for name in ("in_flight", "working", "max_working", "queued", "rejected")}


@pytest.mark.parametrize("status", [429, 503])
async def test_who_is_too_many_is_refused_at_once(status: int) -> None:
    """Without a queue the next request gets the status chosen and Retry-After, and is not worked on."""
    app = await app_with(limit=1, limit_status=status, retry_after=7)
    working = DirectRequest("/")
    task = working.start(app)
    await let_tasks_run()
    async with client_of(app) as client:
        refused = await client.get("/refused?mock_latency=0")
        arrivals = (await client.get("/__admin/arrivals")).json()["arrivals"]
    assert (refused.status_code, refused.headers["retry-after"]) == (status, "7")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (arrivals[1]["status"], arrivals[1]["work_started_at"]) == (status, None)
    assert (await counts(app))["rejected"] == 1
    working.disconnect()
    await task


async def test_who_waits_is_let_in_first_come_first_served() -> None:
    """Permits are granted in the order of arrival, one when one ends."""
    app = await app_with(limit=1, max_queued=2)
    requests = [DirectRequest(f"/{number}") for number in range(3)]
    tasks = [request.start(app) for request in requests]
    await let_tasks_run()
    assert await counts(app) == {"in_flight": 3, "working": 1, "max_working": 1, "queued": 2, "rejected": 0}
    for request, task in zip(requests, tasks, strict=True):
        request.disconnect()
        await task
    async with client_of(app) as client:
        arrivals = (await client.get("/__admin/arrivals")).json()["arrivals"]
    started = [arrival["work_started_at"] for arrival in arrivals]
    assert started == sorted(started)
    assert started[1] >= arrivals[0]["finished_at"]
    assert (await counts(app))["max_working"] == 1


async def test_a_waiting_client_that_disconnects_leaves_the_queue() -> None:
    """A client that disconnects while it waits is finished, gets no permit, and the next one moves up."""
    app = await app_with(limit=1, max_queued=1)
    working, waiting = DirectRequest("/working"), DirectRequest("/waiting")
    tasks = [working.start(app), waiting.start(app)]
    await let_tasks_run()
    waiting.disconnect()
    await tasks[1]
    assert await counts(app) == {"in_flight": 1, "working": 1, "max_working": 1, "queued": 0, "rejected": 0}
    working.disconnect()
    await tasks[0]


async def test_a_cancelled_request_leaves_the_queue() -> None:
    """A request that is cancelled while it waits leaves the queue."""
    app = await app_with(limit=1, max_queued=1)
    working, waiting = DirectRequest("/working"), DirectRequest("/waiting")
    tasks = [working.start(app), waiting.start(app)]
    await let_tasks_run()
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert (await counts(app))["queued"] == 0
    working.disconnect()
    await tasks[0]


async def test_a_higher_limit_takes_effect_at_once() -> None:
    """A higher limit grants permits to waiting requests; without a limit all get one."""
    app = await app_with(limit=1, max_queued=5)
    requests = [DirectRequest("/") for _ in range(4)]
    tasks = [request.start(app) for request in requests]
    await let_tasks_run()
    async with client_of(app) as client:
        await client.patch("/__admin/settings", json={"limit": 2})
        assert (await counts(app))["working"] == 2
        await client.patch("/__admin/settings", json={"limit": None})
        assert (await counts(app))["working"] == 4
    for request in requests:
        request.disconnect()
    await asyncio.gather(*tasks)


async def test_a_lower_limit_takes_effect_as_work_ends() -> None:
    """A lower limit stops no work, and grants no permit until enough work has ended."""
    app = await app_with(limit=2, max_queued=5)
    requests = [DirectRequest("/") for _ in range(3)]
    tasks = [request.start(app) for request in requests]
    await let_tasks_run()
    async with client_of(app) as client:
        await client.patch("/__admin/settings", json={"limit": 1})
    requests[0].disconnect()
    await tasks[0]
    assert ((await counts(app))["working"], (await counts(app))["queued"]) == (1, 1)
    for request in requests[1:]:
        request.disconnect()
    await asyncio.gather(*tasks)


async def test_without_a_limit_all_work_at_once(client: httpx.AsyncClient) -> None:
    """The maximum in progress equals the maximum in flight, and none is refused."""
    await client.get("/")
    report = (await client.get("/__admin/arrivals")).json()
    assert (report["max_working"], report["max_in_flight"], report["rejected"]) == (1, 1, 0)
