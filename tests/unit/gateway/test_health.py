"""What the health endpoint returns."""

import asyncio
from typing import Any

import pytest

from fast_priority.broker.connection import ServerFacts
from fast_priority.broker.monitor import QueueView
from fast_priority.gateway import health
from fast_priority.http.message import TargetPolicy
from fast_priority.scheduling.priority import DEFAULT_LEVELS
from fast_priority.target import Target


def test_the_lengths_have_a_field_for_each_level() -> None:
    """Each level has its field, in the order of precedence."""
    assert list(health.QueueLengths.model_fields) == [priority.value for priority in DEFAULT_LEVELS]


def test_each_length_stands_in_the_field_of_its_level() -> None:
    """The field of a level has its own length, and null if Redis does not answer."""
    view = QueueView({priority: number for number, priority in enumerate(DEFAULT_LEVELS)}, 0, 0, 0, suspended=False)
    assert health._lengths(view).model_dump() == {
        priority.value: number for number, priority in enumerate(DEFAULT_LEVELS)
    }
    assert set(health._lengths(None).model_dump().values()) == {None}


class Monitor:
    """A monitor without Redis, whose view is that of one worker."""

    def __init__(self, problem: str | None = None, **view: Any) -> None:
        self.problem = problem
        self._view = QueueView(dict.fromkeys(DEFAULT_LEVELS, 0), 0, 1, 1, suspended=False)._replace(**view)

    async def view(self, max_age_seconds: float) -> QueueView:
        return self._view


async def nothing_is_wrong() -> None:
    """The look at a target that answers."""


def checks_with(monitor: Any, look_at_target: health.TargetLook = nothing_is_wrong) -> health.HealthChecks:
    return health.HealthChecks(look_at_target, monitor)


async def test_redis_that_refuses_writes_is_not_ready() -> None:
    """Readiness has the reason why Redis refuses writes, and health has it in a field of its own."""
    checks = checks_with(Monitor("Redis refuses writes: it is full"))
    readiness = await checks.readiness(is_ending=False)
    assert (readiness.ready, readiness.reasons) == (False, ["Redis refuses writes: it is full: requests get 503"])
    found = await checks.health()
    assert (found.status, found.redis_reachable, found.redis_writable) == ("degraded", True, False)
    assert found.redis_problem == "Redis refuses writes: it is full"


async def test_redis_without_a_problem_is_ready() -> None:
    """With a Redis that takes writes, and a worker, the gateway is ready and has no warning."""
    checks = checks_with(Monitor())
    assert (await checks.readiness(is_ending=False)).ready
    found = await checks.health()
    assert (found.redis_writable, found.redis_problem, found.warnings) == (True, None, [])


async def test_a_policy_that_drops_keys_is_a_warning() -> None:
    """A Redis that may drop requests is a warning, and stops nothing."""
    facts = ServerFacts("7.0.0", "allkeys-lru", 1)
    checks = checks_with(Monitor(server=facts))
    assert (await checks.health()).warnings == [facts.warning]
    assert (await checks.readiness(is_ending=False)).ready


@pytest.mark.parametrize(("foreign", "named"), [(0, "no worker is alive: "), (2, "but for 2 that only fail (see")])
async def test_without_a_worker_that_runs_requests_it_is_not_ready(foreign: int, named: str) -> None:
    """The reason says whether no worker is alive at all, or only workers that fail."""
    checks = checks_with(Monitor(workers=0, slots=0, foreign_workers=foreign, warnings=("a job of 1.x",)))
    readiness = await checks.readiness(is_ending=False)
    assert not readiness.ready
    assert named in readiness.reasons[0]


@pytest.mark.parametrize("problem", [None, "the target answers the probe with status 500"])
async def test_many_checks_share_a_look(problem: str | None) -> None:
    """Two hundred checks at once look at the target once, and all are told what is wrong with it."""
    looks: list[None] = []

    async def look() -> str | None:
        looks.append(None)
        await asyncio.sleep(0)
        return problem

    checks = checks_with(Monitor(), look)
    found = await asyncio.gather(*[checks.health() for _ in range(200)])
    assert {(one.target_reachable, one.target_problem) for one in found} == {(problem is None, problem)}
    assert len(looks) == 1


async def all_checks(target_url: str, count: int) -> list[health.Health]:
    monitor: Any = Monitor()
    async with Target(TargetPolicy(target_url, 5.0, 5.0, 0)) as target:
        checks = health.HealthChecks(target.problem, monitor)
        return await asyncio.gather(*[checks.health() for _ in range(count)])


async def test_many_checks_share_a_look_at_the_target() -> None:
    """Two hundred checks at once connect to the target once, and all are told the same."""
    connections: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1") as target:
        port = target.sockets[0].getsockname()[1]
        found = await all_checks(f"http://127.0.0.1:{port}", 200)
        for writer in connections:
            writer.close()
    assert {one.status for one in found} == {"ok"}
    assert len(connections) == 1


async def test_many_checks_of_a_target_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check waits for the looks of others: each one is told in time that the target does not answer."""
    looks: list[str] = []

    async def never(target: Target) -> None:
        looks.append(target.policy.base_url)
        await asyncio.Event().wait()

    monkeypatch.setattr(Target, "problem", never)
    monkeypatch.setattr(health, "_WITHIN_SECONDS", 0.2)
    assert {one.target_reachable for one in await all_checks("http://target", 100)} == {False}
    assert len(looks) <= 2


async def test_a_check_that_is_given_up_ends_no_look() -> None:
    """If the client of the check that began the look leaves, the others still get what the look finds."""
    begun, found = asyncio.Event(), asyncio.Event()

    async def look() -> str | None:
        begun.set()
        await found.wait()
        return "nothing listens at its address"

    checks = checks_with(Monitor(), look)
    first, second = asyncio.create_task(checks.health()), asyncio.create_task(checks.health())
    await begun.wait()
    first.cancel()
    await asyncio.wait([first])
    found.set()
    assert (await second).target_problem == "nothing listens at its address"
