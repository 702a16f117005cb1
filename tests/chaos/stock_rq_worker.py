"""The same faults with `rq worker high low` behind the same gateway, for comparison in the failure table.

These scenarios promise nothing and judge nothing. `python -m tests.chaos.table` runs them; pytest alone does not
collect them.
"""

import signal
from collections.abc import Iterator

import pytest

from tests.chaos.asking import Asked
from tests.chaos.conftest import Rigs, See
from tests.chaos.failures import (
    AT_TARGET,
    QUEUED,
    REDIS_CONNECTIONS_KILLED,
    REDIS_FROZEN_1,
    REDIS_FROZEN_6,
    REDIS_FROZEN_20,
    REDIS_FULL,
    REDIS_PAUSED,
    REDIS_RESTARTED_EMPTY,
    REDIS_RESTARTED_WITH_DATA,
    WORKER_CUT_OFF,
    WORKER_FROZEN,
    WORKER_KILLED,
    WORKER_TOLD_TO_END,
)
from tests.chaos.link_faults import Swallow
from tests.chaos.rig import Rig

_BOTH = ("GET", "POST")
_PATIENCE_SECONDS = 40
_SERVICE_SECONDS = 3


@pytest.fixture
def rig(rigs: Rigs) -> Iterator[Rig]:
    """Return a rig with two of rq's workers, one slot each. It is discarded afterwards, as it may not recover."""
    found = rigs.get()
    try:
        found.mend()
        found.end_workers()
        for _ in _BOTH:
            found.start_stock_worker()
        yield found
    finally:
        rigs.discard()


@pytest.mark.failure(WORKER_KILLED)
def test_killed(rig: Rig, see: See) -> None:
    """The whole rq worker is killed, and another one started."""
    under_way = _fill_slots_and_queue(rig)
    rig.kill_stock_workers()
    for _ in _BOTH:
        rig.start_stock_worker()
    _see_all(see, *under_way)


@pytest.mark.failure(WORKER_FROZEN)
def test_frozen(rig: Rig, see: See) -> None:
    """The whole rq worker is frozen for 10 s, with another one beside it."""
    under_way = _fill_slots_and_queue(rig)
    with rig.workers_frozen():
        rig.start_stock_worker()
        rig.until_seconds_have_passed(10)
    _see_all(see, *under_way)


@pytest.mark.failure(WORKER_TOLD_TO_END)
def test_told_to_end(rig: Rig, see: See) -> None:
    """The worker gets one SIGTERM, and another one is started."""
    under_way = _fill_slots_and_queue(rig)
    for worker in rig.pools:
        worker.send_signal(signal.SIGTERM)
    rig.start_stock_worker()
    _see_all(see, *under_way)


@pytest.mark.parametrize("fault", [REDIS_RESTARTED_EMPTY, REDIS_RESTARTED_WITH_DATA])
def test_redis_restarted(rig: Rig, see: See, fault: str) -> None:
    """Redis is down for 2 s."""
    under_way = _fill_slots_and_queue(rig)
    rig.redis_server.kill()
    if fault is REDIS_RESTARTED_EMPTY:
        rig.redis_server.forget()
    rig.until_seconds_have_passed(2)
    rig.redis_server.start()
    _see_all(see, *under_way)


@pytest.mark.parametrize(("fault", "seconds"), [(REDIS_FROZEN_1, 1), (REDIS_FROZEN_6, 6), (REDIS_FROZEN_20, 20)])
def test_redis_frozen(rig: Rig, see: See, fault: str, seconds: int) -> None:
    """Redis hangs."""
    under_way = _fill_slots_and_queue(rig)
    with rig.redis_server.frozen():
        rig.until_seconds_have_passed(seconds)
    _see_all(see, *under_way)


@pytest.mark.failure(REDIS_PAUSED)
def test_redis_paused(rig: Rig, see: See) -> None:
    """Redis accepts commands and replies late."""
    under_way = _fill_slots_and_queue(rig)
    rig.stack.redis.client_pause(4000)
    _see_all(see, *under_way)


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_redis_connections_killed(rig: Rig, see: See) -> None:
    """Redis closes all connections, ten times in a second."""
    under_way = _fill_slots_and_queue(rig)
    for _ in range(10):
        rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
        rig.until_seconds_have_passed(0.1)
    _see_all(see, *under_way)


@pytest.mark.failure(REDIS_FULL)
def test_redis_out_of_memory(rig: Rig, see: See) -> None:
    """Redis accepts no writes until the requests at the target have ended there."""
    under_way = _fill_slots_and_queue(rig)
    rig.stack.redis.config_set("maxmemory", 1)
    rig.until_seconds_have_passed(_SERVICE_SECONDS + 1)
    rig.stack.redis.config_set("maxmemory", 0)
    _see_all(see, *under_way)


@pytest.mark.failure(WORKER_CUT_OFF)
def test_cut_off_from_redis(rig: Rig, see: See) -> None:
    """The link between workers and Redis is down for 8 s."""
    under_way = _fill_slots_and_queue(rig)
    rig.worker_to_redis.strike(Swallow())
    rig.until_seconds_have_passed(8)
    rig.worker_to_redis.heal()
    _see_all(see, *under_way)


def _fill_slots_and_queue(rig: Rig) -> tuple[list[Asked], list[Asked]]:
    at_target = rig.ask_each(_BOTH, f"/high?mock_latency={_SERVICE_SECONDS}")
    rig.until_at_target(*at_target)
    queued = rig.ask_each(_BOTH)
    rig.until_queued(2)
    return at_target, queued


def _see_all(see: See, at_target: list[Asked], queued: list[Asked]) -> None:
    for stage, asked in ((AT_TARGET, at_target), (QUEUED, queued)):
        for one in asked:
            see(stage, one, _PATIENCE_SECONDS)
