"""levels.lua and lanes.lua: which levels are in force, and that claims follow them, held to a model in Python."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fast_priority.broker import keys, scripts, times
from fast_priority.scheduling.priority import Priority
from tests.unit.broker_rig import Rig

TWO, THREE = ["high", "low"], ["high", "normal", "low"]
NAMES = ["high", "normal", "low", "batch"]


class World:
    """Gateways and workers at one fake Redis."""

    def __init__(self) -> None:
        rig = Rig()
        self.redis = rig.redis
        self._connection = rig.connect({})
        self._runs = asyncio.Runner()

    def look(
        self,
        levels: Sequence[str],
        *,
        known: Sequence[str] | None = None,
        change: int = 0,
        takes_over: bool = False,
        may_begin: bool = True,
    ) -> tuple[list[str], list[str], int]:
        """Let a gateway with these levels look. Return what is in force, what is served, and the change."""
        lanes = keys.lanes_of(map(Priority, known or levels))
        call = scripts.LevelsCall(
            queue_keys=lanes.queues,
            started_keys=lanes.started,
            levels=" ".join(levels),
            change=change,
            takes_over=takes_over,
            may_begin=may_begin,
            lanes=lanes.names,
        )
        in_force, served, found = self._runs.run(call.run(self._connection))
        return in_force.decode().split(), served.decode().split(), int(found)

    def claim(self, free: int, known: Sequence[str] = TWO) -> list[str]:
        """Let a worker that knows these lanes claim. Return the ids that it gets."""
        lanes = keys.lanes_of(map(Priority, known))
        call = scripts.ClaimCall(
            wake_up_key=keys.WAKE_UP,
            suspended_key=keys.SUSPENDED,
            last_claim_key=keys.last_claim("worker-1", "turn"),
            queue_keys=lanes.queues,
            started_keys=lanes.started,
            worker_name="worker-1",
            execution_id="claim",
            time="now",
            free_slots=free,
            lease_ms=times.LEASE_MILLISECONDS,
            most_jobs=1000,
            is_retry=False,
            is_sent_ahead=False,
            lanes=lanes.names,
        )
        _, _, *claims = self._runs.run(call.run(self._connection))
        return [job_id.decode() for job_id, *_ in claims]

    def queue(self, job_id: str, lane: str) -> None:
        """Put a job on the queue of a lane."""
        self.redis.hset(keys.job(job_id), mapping={"data": b"data", "status": "queued"})
        self.redis.rpush(keys.QUEUE_PREFIX + lane, job_id)

    def close(self) -> None:
        self._runs.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def merged(served: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the lanes that a claim looks at: a lane that only the caller knows stands behind the one before it."""
    lanes, behind = list(served), -1
    for name in known:
        if name not in lanes:
            lanes.insert(behind + 1, name)
        behind = lanes.index(name)
    return lanes


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(NAMES).flatmap(lambda order: st.integers(1, 4).map(lambda most: order[:most])),
    st.permutations(NAMES).flatmap(lambda order: st.integers(1, 4).map(lambda most: order[:most])),
    st.lists(st.sampled_from(NAMES), max_size=8),
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
)
def test_claims_follow_the_levels_in_redis(
    served: list[str], known: list[str], queued: list[str], claims: list[int]
) -> None:
    """Whatever lanes a worker knows, it claims strictly in the order that Redis has, the oldest first in each lane."""
    world = World()
    try:
        world.redis.hset(keys.LEVELS, mapping={"levels": " ".join(served), "served": " ".join(served), "change": 0})
        for number, lane in enumerate(queued):
            world.queue(f"job-{number}", lane)
        lanes = merged(served, known)
        expected = [f"job-{at}" for lane in lanes for at, of in enumerate(queued) if of == lane]
        claimed = [job_id for free in claims for job_id in world.claim(free, known)]
        assert claimed == expected[: sum(claims)]
    finally:
        world.close()


def test_without_a_note(world: World) -> None:
    """Where Redis has no levels, a claim takes the lanes that its worker knows."""
    for lane in ("low", "normal", "high"):
        world.queue(lane, lane)
    assert world.claim(9, THREE) == ["high", "normal", "low"]


@pytest.mark.parametrize(
    "note",
    [
        {"levels": "low HIGH", "served": "low HIGH"},
        {"levels": "low high", "served": "low high low"},
        {"levels": "low high", "served": "low high " + "a" * 17},
        {"levels": "low high", "served": " ".join(f"a{number}" for number in range(17))},
        {"levels": " ".join("abcdefghi"), "served": "low high"},
        {"levels": "low high", "served": "low rq:x"},
        {"served": "low high"},
        {"levels": "low high"},
    ],
)
def test_a_broken_note(world: World, note: dict[str, str]) -> None:
    """A note that cannot be levels counts as none, and the next gateway that may begin writes another."""
    world.redis.hset(keys.LEVELS, mapping=note)
    world.queue("a", "low")
    world.queue("b", "high")
    assert world.claim(2) == ["b", "a"]
    assert world.look(THREE) == (THREE, THREE, 0)
    assert world.redis.hget(keys.LEVELS, "served") == b"high normal low"


def test_a_note_of_another_type(world: World) -> None:
    """A key that is no hash counts as no note, for claims and for gateways."""
    world.redis.set(keys.LEVELS, "low high")
    world.queue("a", "low")
    world.queue("b", "high")
    assert world.claim(2) == ["b", "a"]
    assert world.look(TWO) == (TWO, TWO, 0)


def test_the_first_gateway_begins(world: World) -> None:
    """Its levels are in force for 15 s, and each look of a gateway with the same levels renews that."""
    assert world.look(THREE) == (THREE, THREE, 0)
    assert 0 < world.redis.pttl(keys.LEVELS) <= 15_000
    world.redis.pexpire(keys.LEVELS, 1000)
    assert world.look(THREE) == (THREE, THREE, 0)
    assert world.redis.pttl(keys.LEVELS) > 1000


def test_a_gateway_that_may_not_begin(world: World) -> None:
    """It leaves Redis as it is."""
    assert world.look(THREE, may_begin=False) == ([], [], 0)
    assert not world.redis.keys("*")


@pytest.mark.parametrize("others", [TWO, ["high", "low", "normal"], ["high", "batch", "low"]])
def test_other_levels_are_in_force(world: World, others: list[str]) -> None:
    """A gateway with other levels learns which are in force, and changes nothing, not even how long they last."""
    world.look(THREE)
    world.redis.pexpire(keys.LEVELS, 1000)
    before = world.redis.hgetall(keys.LEVELS)
    assert world.look(others) == (THREE, THREE, 0)
    assert (world.redis.hgetall(keys.LEVELS), world.redis.pttl(keys.LEVELS) <= 1000) == (before, True)


def test_a_gateway_takes_over(world: World) -> None:
    """Its levels are in force, and what it removes is served in the place that it had until nothing is left of it."""
    world.look(THREE)
    world.queue("a", "normal")
    assert world.look(TWO, takes_over=True) == (TWO, THREE, 1)
    for lane in ("low", "high"):
        world.queue(lane, lane)
    assert world.claim(2) == ["high", "a"]
    assert world.look(TWO) == (TWO, THREE, 1)  # it is in flight
    world.redis.delete(keys.started("normal"))
    assert world.look(TWO) == (TWO, TWO, 1)
    assert world.claim(2) == ["low"]


def test_a_gateway_takes_over_twice(world: World) -> None:
    """A gateway whose answer was lost, and that looks again, is no second change."""
    world.look(THREE)
    world.look(TWO, takes_over=True)
    assert world.look(TWO, takes_over=True) == (TWO, TWO, 1)


def test_a_level_that_is_empty_leaves_the_register(world: World) -> None:
    """rq's tools show no queue of a level that is gone."""
    world.look(THREE)
    world.redis.sadd(keys.QUEUES, *(keys.QUEUE_PREFIX + lane for lane in THREE))
    world.look(TWO, takes_over=True)
    world.look(TWO)
    assert world.redis.smembers(keys.QUEUES) == {b"rq:queue:high", b"rq:queue:low"}


def test_no_more_than_16_lanes_are_served(world: World) -> None:
    """However often levels change while requests wait, the list of lanes is bounded, and has all levels in force."""
    for change in range(4):
        levels = ["high", *(f"x{change}{number}" for number in range(6)), "low"]
        for level in levels:
            world.queue(f"{level}-job", level)
        in_force, served, _ = world.look(levels, takes_over=True)
        assert (in_force, set(levels) <= set(served), len(served) <= 16) == (levels, True, True)
