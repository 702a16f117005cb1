"""turn.lua: what starts, what waits and what is claimed in one turn, held to a model in Python."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.jobs import JobTemplate
from fast_priority.protocol.frames import Cancel, Frame, Go, decode_frame
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.scheduling.priority import Priority
from tests.unit.broker_rig import Rig

LANES = ["high", "normal", "low"]
FAR = 4_000_000_000.0
LIMIT = 3


class New(NamedTuple):
    """A new request of a turn."""

    id: str
    lane: str
    is_second: bool = False
    has_data: bool = True
    until: float = FAR


@dataclass
class Model:
    """What turn.lua promises, for one Redis."""

    queues: dict[str, list[str]] = field(default_factory=lambda: {lane: [] for lane in LANES})

    def turn(self, new: Sequence[New], free: int, order: Sequence[str] = LANES) -> tuple[list[str], list[str]]:
        """Return the outcomes of the requests, and the ids that are claimed, with the lanes in this order."""
        outcomes: dict[str, str] = {}
        claims: list[str] = []
        is_open = True
        for lane in order:
            queue, of_lane = self.queues[lane], [each for each in new if each.lane == lane]
            for each in of_lane:
                if each.is_second and is_open and free > 0:
                    outcomes[each.id] = "started" if each.until == FAR else "late"
                    free -= each.until == FAR
            while free > 0 and queue:
                claims.append(queue.pop(0))
                free -= 1
            is_open = is_open and not queue
            for each in of_lane:
                if each.id in outcomes:
                    continue
                if each.until != FAR:
                    outcomes[each.id] = "late"
                elif is_open and free > 0:
                    outcomes[each.id] = "started"
                    free -= 1
                elif not each.has_data:
                    outcomes[each.id] = "data"
                elif len(queue) >= LIMIT and not each.is_second:
                    outcomes[each.id] = "full"
                else:
                    queue.insert(0 if each.is_second else len(queue), each.id)
                    outcomes[each.id] = "queued"
            # Those that wait in a lane close the lanes behind it; so do those that are queued with the turn.
            is_open = is_open and not queue
        return [outcomes[each.id] for each in new], claims


class World:
    """Gateways at one fake Redis."""

    def __init__(self, rig: Rig) -> None:
        self.redis = rig.redis
        self._connection = rig.connect({})
        self._runs = asyncio.Runner()
        self.turns = 0

    def turn(
        self,
        new: Sequence[New] = (),
        free: int = 0,
        *,
        gateway: str = "gateway-1",
        settled: Sequence[str] = (),
        returned: Sequence[str] = (),
        execution_id: str | None = None,
        is_retry: bool = False,
        most_jobs: int = 1000,
        known: Sequence[str] = LANES,
        holds_levels: bool = False,
    ) -> tuple[list[str], list[tuple[str, str, str]], list[Any]]:
        """Run a turn. Return its outcomes, its claims (id, lane, gateway), and the head of its answer.

        The gateway knows these lanes, in this order.
        """
        lanes = keys.lanes_of(map(Priority, known))
        self.turns += 1
        template = JobTemplate()
        self.redis.set(keys.gateway(gateway), "2")
        call = scripts.TurnCall(
            wake_up_key=keys.WAKE_UP,
            suspended_key=keys.SUSPENDED,
            last_claim_key=keys.last_claim(gateway, "0"),
            gateway_key=keys.gateway(gateway),
            queue_keys=lanes.queues,
            started_keys=lanes.started,
            gateway_id=gateway,
            execution_id=execution_id or f"turn-{self.turns}",
            time=template.now(),
            free_slots=free,
            lease_ms=times.LEASE_MILLISECONDS,
            most_jobs=most_jobs,
            most_wake_ups=times.MOST_WAKE_UPS,
            gateway_ttl_ms=times.GATEWAY_TTL_MILLISECONDS,
            is_retry=is_retry,
            lanes=lanes.names,
            levels=" ".join(known),
            change=0,
            holds_levels=holds_levels,
            limits=[LIMIT] * len(known),
            job_fields=template.constant_fields,
            settled=settled,
            returned=returned,
            requests=[
                scripts.SubmittedRequest(
                    each.id, each.lane, b"data" if each.has_data else b"", "now", "GET /", each.until,
                    int(each.is_second), 1, 30,
                )
                for each in new
            ],
        )  # fmt: skip
        *head, outcomes, claims = self._runs.run(call.run(self._connection))
        claimed = [(job_id.decode(), lane.decode(), of.decode()) for job_id, lane, of, _ in claims]
        return [outcome.decode() for outcome in outcomes], claimed, head

    def serve(self, order: Sequence[str]) -> None:
        """Let these lanes be served, as gateways note in Redis."""
        names = " ".join(order)
        self.redis.hset(keys.LEVELS, mapping={"levels": names, "served": names, "change": 0})

    def leases(self) -> set[str]:
        """The ids that have a lease."""
        members = [member for lane in LANES for member in self.redis.zrange(keys.started(lane), 0, -1)]
        return {member.decode().split(":")[0] for member in members}

    def close(self) -> None:
        self._runs.close()


@pytest.fixture
def world() -> Any:
    made = World(Rig())
    yield made
    made.close()


TURNS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from(LANES), st.booleans(), st.booleans(), st.sampled_from([FAR, FAR, FAR, 1.0])),
            max_size=5,
        ),
        st.integers(0, 4),
        st.sampled_from(["gateway-1", "gateway-2"]),
        st.permutations(LANES),
        st.permutations(LANES),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(TURNS)
def test_the_script_does_what_the_model_says(turns: list[Any]) -> None:
    """For any turns of two gateways: outcomes, claims, queues and leases are those of the model.

    The lanes are in the order that Redis has in the moment of the turn, and not in the one that the gateway knows.
    """
    world, model = World(Rig()), Model()
    running: set[str] = set()
    try:
        for number, (rows, free, gateway, order, known) in enumerate(turns):
            world.serve(order)
            new = [New(f"{number}-{index}", *row) for index, row in enumerate(rows)]
            outcomes, claims, _ = world.turn(new, free, gateway=gateway, known=known)
            expected_outcomes, expected_claims = model.turn(new, free, order)
            assert (outcomes, [job_id for job_id, _, _ in claims]) == (expected_outcomes, expected_claims)
            running |= set(expected_claims)
            running |= {each.id for each, outcome in zip(new, outcomes, strict=True) if outcome == "started"}
            for lane in LANES:
                assert [job_id.decode() for job_id in world.redis.lrange(f"rq:queue:{lane}", 0, -1)] == (
                    model.queues[lane]
                )
            assert world.leases() == running
    finally:
        world.close()


def test_a_request_that_starts_at_once_leaves_only_a_lease(world: World) -> None:
    """No job, no token: nobody else is woken. Settling it leaves nothing."""
    assert world.turn([New("a", "low", has_data=False)], 1)[0] == ["started"]
    assert sorted(world.redis.keys("*")) == [b"rq:fast-priority:gateway:gateway-1", b"rq:wip:low"]
    world.turn(settled=["low", "a:turn-1", ""])
    assert world.redis.keys("*") == [b"rq:fast-priority:gateway:gateway-1"]


def test_a_claim_of_its_own_request_removes_the_job(world: World) -> None:
    """Nobody else has to know a request any more that a gateway forwards itself."""
    world.turn([New("a", "high")])
    assert world.redis.exists(keys.job("a"))
    assert world.turn(free=1)[1] == [("a", "high", "gateway-1")]
    assert not world.redis.exists(keys.job("a"))


def test_the_gateway_of_a_claimed_request_gets_a_go(world: World) -> None:
    """The claim itself tells the other gateway that it may talk to the target; the job stays, with a lease."""
    world.turn([New("a", "high")], gateway="gateway-2")
    assert world.turn(free=2)[1] == [("a", "high", "gateway-2")]
    (frame,) = world.redis.lrange(keys.inbox("gateway-2"), 0, -1)
    assert decode_frame(frame) == Frame("a", Go(), WIRE_VERSION)
    assert world.redis.ttl(keys.inbox("gateway-2")) > 0
    assert world.redis.hget(keys.job("a"), "status") == b"started"
    assert 0 < world.redis.pttl(keys.job("a")) <= times.LEASE_MILLISECONDS
    world.turn(settled=["high", "a:turn-2", "a"])
    assert not world.redis.exists(keys.job("a"))
    assert world.leases() == set()


def test_who_lent_a_slot_hears_that_it_is_free(world: World) -> None:
    """A slot that a request needs no more is given back by a frame to the process that holds it, and may be twice."""
    world.turn([New("a", "high")], gateway="gateway-2")
    world.turn(free=1)
    for _ in range(2):
        world.turn(gateway="gateway-2", returned=["a"])
    frames = world.redis.lrange(keys.inbox("gateway-1"), 0, -1)
    assert [decode_frame(frame) for frame in frames] == [Frame("a", Cancel(), WIRE_VERSION)] * 2
    assert world.redis.ttl(keys.inbox("gateway-1")) > 0


def test_a_slot_of_a_process_that_is_not_known_any_more(world: World) -> None:
    """If the job of such a request is gone, Redis remembers that it is cancelled, for a process that was away."""
    world.turn(returned=["a"])
    assert 0 < world.redis.ttl(keys.CANCELLED_PREFIX + "a") <= times.CANCELLED_TTL_SECONDS


def test_a_lost_answer_is_fetched_again(world: World) -> None:
    """The same execution id returns the same claims, whatever waits since, and starts nothing new."""
    world.turn([New("a", "low")])
    world.turn([New("b", "low")], gateway="gateway-2")
    first = world.turn(free=2, execution_id="lost")[1]
    assert [job_id for job_id, _, _ in first] == ["a", "b"]
    world.turn([New("c", "high")])
    assert world.turn(free=2, execution_id="lost", is_retry=True)[1] == first
    assert world.redis.lrange("rq:queue:high", 0, -1) == [b"c"]


def test_what_a_claim_has_not_looked_at_stays_in_front(world: World) -> None:
    """A claim looks at so many jobs and no more. No new request starts before those that are left."""
    world.turn([New("a", "high"), New("b", "high")])
    outcomes, claims, _ = world.turn([New("c", "low"), New("d", "high")], 4, most_jobs=1)
    assert (outcomes, [job_id for job_id, _, _ in claims]) == (["queued", "queued"], ["a"])
    assert [job_id for job_id, _, _ in world.turn(free=4)[1]] == ["b", "d", "c"]


def test_while_suspended_nothing_starts(world: World) -> None:
    """With `rq suspend`, a request waits although slots are free, and the answer says so."""
    world.redis.set(keys.SUSPENDED, 1)
    outcomes, claims, head = world.turn([New("a", "high")], 4)
    assert (outcomes, claims, head[0]) == (["queued"], [], 1)


def test_a_request_that_waits_wakes_others(world: World) -> None:
    """A request that its gateway cannot start leaves a token for idle workers and other gateways."""
    world.turn([New("a", "high")])
    assert world.redis.llen(keys.WAKE_UP) == 1
