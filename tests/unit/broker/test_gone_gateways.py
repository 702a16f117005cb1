"""Whether a gateway is gone is judged by time in which Redis ran: a Redis that hangs makes no gateway look dead."""

import time
from collections.abc import Awaitable, Callable

import pytest

from fast_priority.broker import keys, times
from fast_priority.broker.consumer import Claim, Consumer, Leases, RqConnection
from fast_priority.scheduling.priority import Priority
from tests.unit.broker_rig import Rig

GATEWAY, JOB = "gateway", "job"
OF_2_0_SECONDS = 15
"""How long a sign of life of the first release of 2.0 lasts."""


class Scene:
    """A gateway that shows signs of life, a worker that renews its leases, and the clock of their Redis."""

    def __init__(self, rig: Rig, claimer: Consumer, leases: Leases, patch: pytest.MonkeyPatch) -> None:
        self.rig, self.claimer, self.leases = rig, claimer, leases
        self.now = 1_700_000_000.0
        patch.setattr(time, "time", lambda: self.now)

    def beat(self, seconds: float = times.GATEWAY_TTL_SECONDS) -> None:
        """Show a sign of life that lasts for so long."""
        self.rig.redis.set(keys.gateway(GATEWAY), "1", px=int(seconds * 1000))

    async def run(self, seconds: float, *, gateway_lives: bool = True) -> None:
        """Let time pass while Redis runs. The worker renews its leases each second."""
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            if gateway_lives:
                self.beat()
            if self.now % 1 == 0:
                await self.leases.renew({"birth": "now"}, [])

    def queue(self, job_id: str = JOB, gateway: str = GATEWAY) -> None:
        fields = {"data": "data", "status": "queued", "gateway": gateway, "server": "", "again": "1"}
        self.rig.redis.hset(keys.job(job_id), mapping=fields)
        self.rig.redis.expire(keys.job(job_id), 100_000)
        self.rig.redis.rpush(keys.queue(Priority.LOW), job_id)


@pytest.fixture
def scene(rig: Rig, claimer: Consumer, leases: Leases, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A gateway and a worker that have just started."""
    return Scene(rig, claimer, leases, monkeypatch)


async def by_claim(scene: Scene) -> str:
    """Judge by a request that waits: it is sent, dropped, or waits on."""
    scene.queue()
    claims = (await scene.claimer.publish_and_claim([], 1)).claims
    if claims:
        return "alive"
    if scene.rig.ids(Priority.LOW) == [JOB]:
        assert scene.rig.redis.exists(keys.job(JOB))
        return "unknown"
    assert not scene.rig.redis.exists(keys.job(JOB))
    assert scene.rig.redis.llen(keys.inbox(GATEWAY)) == 1  # in case it lives all the same
    return "gone"


async def by_claim_sent_ahead(scene: Scene) -> str:
    scene.rig.redis.rpush(keys.WAKE_UP, "1")
    scene.queue()
    claims = (await scene.claimer.wait_and_claim(1)).claims
    return "alive" if claims else "unknown" if scene.rig.ids(Priority.LOW) else "gone"


async def by_stock_worker(scene: Scene) -> str:
    return RqConnection(scene.rig.redis).gateway_state(GATEWAY).value


async def by_renewal(scene: Scene) -> str:
    """Judge by a call in flight: it is broken off only if its gateway is gone."""
    claim = Claim(JOB, "execution", "low", GATEWAY, b"")
    scene.rig.redis.hset(keys.job(JOB), "status", "started")
    scene.rig.redis.zadd(keys.started("low"), {f"{JOB}:execution": scene.now + 3})
    renewal = await scene.leases.renew({"birth": "now"}, [claim])
    return "gone" if renewal.over == [claim] else "not gone"


Judge = Callable[[Scene], Awaitable[str]]
each_judge = pytest.mark.parametrize("judge", [by_claim, by_claim_sent_ahead, by_stock_worker, by_renewal])


def agrees(found: str, expected: str) -> bool:
    return found == expected or (found == "not gone" and expected != "gone")


async def lives(scene: Scene) -> None:
    await scene.run(5)


async def was_killed_3_seconds_ago(scene: Scene) -> None:
    await scene.run(5)
    await scene.run(3, gateway_lives=False)


async def was_killed_4_seconds_ago(scene: Scene) -> None:
    await scene.run(5)
    await scene.run(4, gateway_lives=False)


async def is_of_2_0_and_beat_14_seconds_ago(scene: Scene) -> None:
    await scene.run(5)
    scene.beat(OF_2_0_SECONDS)
    await scene.run(14, gateway_lives=False)


async def is_of_2_0_and_beat_16_seconds_ago(scene: Scene) -> None:
    await scene.run(5)
    scene.beat(OF_2_0_SECONDS)
    await scene.run(16, gateway_lives=False)


async def was_killed_on_a_redis_that_hung_before(scene: Scene) -> None:
    await scene.run(5)
    scene.now += 6
    await scene.run(1)
    await scene.run(5, gateway_lives=False)


@each_judge
@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        (lives, "alive"),
        (was_killed_3_seconds_ago, "alive"),
        (was_killed_4_seconds_ago, "gone"),
        (is_of_2_0_and_beat_14_seconds_ago, "alive"),
        (is_of_2_0_and_beat_16_seconds_ago, "gone"),
        (was_killed_on_a_redis_that_hung_before, "gone"),
    ],
)
async def test_on_a_redis_that_runs(
    scene: Scene, judge: Judge, gateway: Callable[[Scene], Awaitable[None]], expected: str
) -> None:
    """A gateway counts as alive as long as its last sign of life lasts, and then as gone."""
    await gateway(scene)
    assert agrees(await judge(scene), expected)


def hangs(seconds: float) -> Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        scene.now += seconds

    inject.__name__ = f"redis_hangs_or_its_clock_jumps_by_{seconds}_seconds"
    return inject


def another_server(scene: Scene) -> None:
    scene.rig.redis.set(keys.REDIS_RUN, scene.rig.redis.get(keys.REDIS_RUN).replace(b" ", b"abc ", 1))
    scene.rig.redis.delete(keys.gateway(GATEWAY))


def data_lost(scene: Scene) -> None:
    scene.rig.redis.flushall()


def written_by_others(value: str) -> Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        scene.rig.redis.set(keys.REDIS_RUN, value)
        scene.rig.redis.delete(keys.gateway(GATEWAY))

    inject.__name__ = f"note_{value!r}"
    return inject


def of_wrong_type(scene: Scene) -> None:
    scene.rig.redis.delete(keys.REDIS_RUN, keys.gateway(GATEWAY))
    scene.rig.redis.rpush(keys.REDIS_RUN, "not a string")


FAULTS = [
    *map(hangs, (6, 20, 3600)),
    another_server,
    data_lost,
    *map(written_by_others, ("a b c", " 0 99999999999999", f" 0 {'9' * 400}")),
    of_wrong_type,
]
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)


@each_judge
@each_fault
async def test_after_a_fault_it_is_unknown(scene: Scene, judge: Judge, fault: Callable[[Scene], None]) -> None:
    """A gateway whose sign of life ended while Redis did not run is neither alive nor gone."""
    await scene.run(5)
    fault(scene)
    assert agrees(await judge(scene), "unknown")


@each_judge
@each_fault
async def test_after_a_fault_it_beats_again(scene: Scene, judge: Judge, fault: Callable[[Scene], None]) -> None:
    """For as long as a gateway needs to show its next sign of life it stays unknown, and then it is alive."""
    await scene.run(5)
    fault(scene)
    await scene.run(3, gateway_lives=False)
    assert agrees(await judge(scene), "unknown")
    scene.rig.redis.delete(keys.queue(Priority.LOW))
    scene.beat()
    assert agrees(await judge(scene), "alive")


@each_judge
@each_fault
async def test_after_a_fault_it_stays_silent(scene: Scene, judge: Judge, fault: Callable[[Scene], None]) -> None:
    """Once Redis has run for some seconds again, a gateway without a sign of life is gone."""
    await scene.run(5)
    fault(scene)
    await scene.run(6, gateway_lives=False)
    assert agrees(await judge(scene), "gone")


@each_judge
@pytest.mark.parametrize("seconds", [-5, -3600])
async def test_a_clock_that_is_set_back(scene: Scene, judge: Judge, seconds: int) -> None:
    """A living gateway stays alive when the clock is set back, and one that is killed after that is gone."""
    await scene.run(5)
    scene.now += seconds
    assert agrees(await judge(scene), "alive")
    scene.rig.redis.delete(keys.queue(Priority.LOW))
    await scene.run(6)
    await scene.run(4, gateway_lives=False)
    assert agrees(await judge(scene), "gone")


@each_judge
@pytest.mark.parametrize("seconds", [1, 1.5])
async def test_a_short_hang(scene: Scene, judge: Judge, seconds: float) -> None:
    """A living gateway stays alive while Redis hangs for less time than its sign of life lasts."""
    await scene.run(5)
    scene.now += seconds
    assert agrees(await judge(scene), "alive")


@pytest.mark.parametrize("idle_seconds", [5, 60, 3600])
async def test_without_workers(scene: Scene, idle_seconds: float) -> None:
    """The first worker after a time without workers sends nothing for a gateway that died in that time."""
    await scene.run(5)
    scene.now += idle_seconds
    assert await by_claim(scene) == "unknown"
    await scene.run(6, gateway_lives=False)
    assert (await scene.claimer.publish_and_claim([], 1)).claims == []
    assert scene.rig.waiting(Priority.LOW) == 0


async def test_the_first_worker_of_all(scene: Scene) -> None:
    """A worker that knows nothing of the past starts the requests of a living gateway at once."""
    scene.beat()
    assert await by_claim(scene) == "alive"


async def test_what_waits_holds_up_no_others(scene: Scene) -> None:
    """Requests of an unknown gateway stay at their place, in their order; others behind them are claimed."""
    scene.rig.redis.set(keys.gateway("other"), "1", ex=3)
    for job_id, gateway in (("a", GATEWAY), ("b", "other"), ("c", GATEWAY), ("d", "other")):
        scene.queue(job_id, gateway)
    claims = (await scene.claimer.publish_and_claim([], 9)).claims
    assert [claim.job_id for claim in claims] == ["b", "d"]
    assert scene.rig.ids(Priority.LOW) == ["a", "c"]
    scene.beat()
    claims = (await scene.claimer.publish_and_claim([], 9)).claims
    assert [claim.job_id for claim in claims] == ["a", "c"]


async def test_a_claim_passes_over_a_bounded_number(scene: Scene) -> None:
    """However many requests of unknown gateways wait, a claim does not hold Redis up."""
    for number in range(2 * times.MOST_PASSED_OVER):
        scene.queue(f"unknown-{number}")
    scene.rig.redis.set(keys.gateway("other"), "1", ex=3)
    scene.queue("behind", "other")
    assert (await scene.claimer.publish_and_claim([], 9)).claims == []
    assert scene.rig.waiting(Priority.LOW) == 2 * times.MOST_PASSED_OVER + 1


async def test_the_note_is_small_and_ends(scene: Scene) -> None:
    """The note that Redis runs has one size, however long Redis has run, and ends after the last worker."""
    await scene.run(2)
    size = scene.rig.redis.strlen(keys.REDIS_RUN)
    await scene.run(100)
    assert scene.rig.redis.strlen(keys.REDIS_RUN) == size
    assert 0 < scene.rig.redis.ttl(keys.REDIS_RUN) <= times.REDIS_RUN_TTL_SECONDS


@pytest.mark.parametrize(("dead_seconds", "claimed"), [(0, [JOB]), (1, [])])
async def test_a_repeated_claim(scene: Scene, dead_seconds: int, claimed: list[str]) -> None:
    """A claim that is sent again, because its answer was lost, gives nothing of a gateway that is gone by now."""
    await scene.run(5)
    await scene.run(3, gateway_lives=False)
    scene.claimer._direct.unanswered = "lost"
    assert await by_claim(scene) == "alive"
    await scene.run(dead_seconds, gateway_lives=False)
    scene.claimer._direct.unanswered = "lost"
    claims = (await scene.claimer.publish_and_claim([], 1)).claims
    assert [claim.job_id for claim in claims] == claimed
    assert bool(scene.rig.redis.exists(keys.job(JOB), keys.started("low"))) == bool(claimed)
