"""The same faults with `rq worker high low` behind the same gateway, for comparison in the failure table.

These scenarios promise nothing and judge nothing. `python -m tests.chaos.table` runs them; pytest alone does not
collect them.
"""

import signal
from collections.abc import Iterator

import pytest

from tests.chaos.client_request import ClientRequest
from tests.chaos.conftest import Observe, Rigs
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
    WORKER_STOPPED,
)
from tests.chaos.link_faults import Swallow
from tests.chaos.rig import Rig

_BOTH = ("GET", "POST")
_TIMEOUT_SECONDS = 40
_SERVICE_SECONDS = 3


@pytest.fixture
def rig(rigs: Rigs) -> Iterator[Rig]:
    """Return a rig with two of rq's workers, one slot each. It is discarded afterwards, as it may not recover."""
    found = rigs.get()
    try:
        found.restore()
        found.end_workers()
        for _ in _BOTH:
            found.start_stock_worker()
        yield found
    finally:
        rigs.discard()


@pytest.mark.failure(WORKER_KILLED)
def test_killed(rig: Rig, observe: Observe) -> None:
    """The whole rq worker is killed, and another one started."""
    in_flight = _fill_slots_and_queue(rig)
    rig.kill_stock_workers()
    for _ in _BOTH:
        rig.start_stock_worker()
    _observe_all(observe, *in_flight)


@pytest.mark.failure(WORKER_FROZEN)
def test_frozen(rig: Rig, observe: Observe) -> None:
    """The whole rq worker is frozen for 10 s, with another one beside it."""
    in_flight = _fill_slots_and_queue(rig)
    with rig.workers_frozen():
        rig.start_stock_worker()
        rig.wait_seconds(10)
    _observe_all(observe, *in_flight)


@pytest.mark.failure(WORKER_STOPPED)
def test_stopped(rig: Rig, observe: Observe) -> None:
    """The worker gets one SIGTERM, and another one is started."""
    in_flight = _fill_slots_and_queue(rig)
    for worker in rig.pools:
        worker.send_signal(signal.SIGTERM)
    rig.start_stock_worker()
    _observe_all(observe, *in_flight)


@pytest.mark.parametrize("fault", [REDIS_RESTARTED_EMPTY, REDIS_RESTARTED_WITH_DATA])
def test_redis_restarted(rig: Rig, observe: Observe, fault: str) -> None:
    """Redis is down for 2 s."""
    in_flight = _fill_slots_and_queue(rig)
    rig.redis_server.kill()
    if fault is REDIS_RESTARTED_EMPTY:
        rig.redis_server.delete_data()
    rig.wait_seconds(2)
    rig.redis_server.start()
    _observe_all(observe, *in_flight)


@pytest.mark.parametrize(("fault", "seconds"), [(REDIS_FROZEN_1, 1), (REDIS_FROZEN_6, 6), (REDIS_FROZEN_20, 20)])
def test_redis_frozen(rig: Rig, observe: Observe, fault: str, seconds: int) -> None:
    """Redis hangs."""
    in_flight = _fill_slots_and_queue(rig)
    with rig.redis_server.frozen():
        rig.wait_seconds(seconds)
    _observe_all(observe, *in_flight)


@pytest.mark.failure(REDIS_PAUSED)
def test_redis_paused(rig: Rig, observe: Observe) -> None:
    """Redis accepts commands and replies late."""
    in_flight = _fill_slots_and_queue(rig)
    rig.stack.redis.client_pause(4000)
    _observe_all(observe, *in_flight)


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_redis_connections_killed(rig: Rig, observe: Observe) -> None:
    """Redis closes all connections, ten times in a second."""
    in_flight = _fill_slots_and_queue(rig)
    for _ in range(10):
        rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
        rig.wait_seconds(0.1)
    _observe_all(observe, *in_flight)


@pytest.mark.failure(REDIS_FULL)
def test_redis_out_of_memory(rig: Rig, observe: Observe) -> None:
    """Redis accepts no writes until the requests at the target have ended there."""
    in_flight = _fill_slots_and_queue(rig)
    rig.stack.redis.config_set("maxmemory", 1)
    rig.wait_seconds(_SERVICE_SECONDS + 1)
    rig.stack.redis.config_set("maxmemory", 0)
    _observe_all(observe, *in_flight)


@pytest.mark.failure(WORKER_CUT_OFF)
def test_cut_off_from_redis(rig: Rig, observe: Observe) -> None:
    """The link between workers and Redis is down for 8 s."""
    in_flight = _fill_slots_and_queue(rig)
    rig.worker_to_redis.inject(Swallow())
    rig.wait_seconds(8)
    rig.worker_to_redis.heal()
    _observe_all(observe, *in_flight)


def _fill_slots_and_queue(rig: Rig) -> tuple[list[ClientRequest], list[ClientRequest]]:
    at_target = rig.send_each(_BOTH, f"/high?mock_latency={_SERVICE_SECONDS}")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(_BOTH)
    rig.wait_until_queued(2)
    return at_target, queued


def _observe_all(observe: Observe, at_target: list[ClientRequest], queued: list[ClientRequest]) -> None:
    for stage, sent in ((AT_TARGET, at_target), (QUEUED, queued)):
        for one in sent:
            observe(stage, one, _TIMEOUT_SECONDS)
