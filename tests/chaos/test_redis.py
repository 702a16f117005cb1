"""Redis that goes away, hangs, loses data or is full: each request is answered, and no POST is served twice."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from fast_priority.broker import keys
from fast_priority.broker.consumer import GATEWAYS_ARE_BACK_SECONDS
from tests.chaos.client_request import ClientRequest
from tests.chaos.conftest import Observe
from tests.chaos.failures import (
    AT_TARGET,
    BEING_QUEUED,
    NEW,
    QUEUED,
    REDIS_CONNECTIONS_KILLED,
    REDIS_FROZEN_1,
    REDIS_FROZEN_6,
    REDIS_FROZEN_20,
    REDIS_FULL,
    REDIS_LINKS_RESET,
    REDIS_PAUSED,
    REDIS_RESTARTED_EMPTY,
    REDIS_RESTARTED_WITH_DATA,
)
from tests.chaos.rig import SLOTS, Rig
from tests.harness import wait_until

_BOTH = ("GET", "POST")
# The promise is 2 s; a busy machine takes longer.
_REFUSED_SECONDS = 4
_ONCE = "200, 1 attempt"
_EXTRA_CLIENTS = 16
_CUTS = 30
_REFUSED = "503 broker-unavailable, 0 attempts"


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
@pytest.mark.parametrize("fault", [REDIS_RESTARTED_EMPTY, REDIS_RESTARTED_WITH_DATA])
def test_restarted(rig: Rig, observe: Observe, fault: str) -> None:
    """Requests at the target are answered; queued ones are retried if idempotent, else answered 502."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=4)
    rig.redis_server.kill()
    if fault is REDIS_RESTARTED_EMPTY:
        rig.redis_server.delete_data()
    _expect_new_requests_refused(rig, observe)
    rig.redis_server.start()
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE, "502 request-lost, 0 attempts"]


@pytest.mark.allows(refused=True, lost=True, unsure=True)
@pytest.mark.parametrize(("fault", "seconds"), [(REDIS_FROZEN_6, 6), (REDIS_FROZEN_20, 20)])
def test_frozen(rig: Rig, observe: Observe, fault: str, seconds: int) -> None:
    """No queued request is lost while Redis hangs; a POST being queued is 502 within 2 s, new requests are 503."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=3)
    rig.pause_load()
    with rig.redis_server.frozen():
        _expect_queuing_request_lost(rig, observe)
        _expect_new_requests_refused(rig, observe)
        rig.wait_seconds(seconds - 2)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2


@pytest.mark.allows(refused=True, lost=True, unsure=True)
@pytest.mark.parametrize(("fault", "seconds"), [(REDIS_FROZEN_6, 6)])
def test_frozen_and_a_gateway_is_late(rig: Rig, observe: Observe, fault: str, seconds: int) -> None:
    """When Redis goes on, no gateway looks dead, also one that is late: its calls go on, what it queued waits."""
    lasting = rig.send_each(_BOTH, f"/high?mock_latency={seconds + 4}")
    ending = rig.send_each(_BOTH * (SLOTS // 2 - 1), "/high?mock_latency=5")
    rig.wait_until_at_target(*lasting, *ending)
    queued = rig.send_each(_BOTH)
    rig.wait_until_queued(2)
    rig.pause_load()
    rig.wait_seconds(1.5)  # by then the records of workers count all that has ended
    served = _served(rig)
    with ExitStack() as late:
        with rig.redis_server.frozen():
            rig.wait_seconds(seconds)
            late.enter_context(rig.gateway_frozen())
        # A worker publishes and claims in one round trip.
        wait_until("the worker has published and claimed", lambda: _served(rig) == served + len(ending))
        queued_now = rig.queued()
        # On a busy machine, the gateway may have been late for so long that it counts as gone.
        assert queued_now == 2 or _run_seconds(rig) > GATEWAYS_ARE_BACK_SECONDS
    rig.load.resume()
    assert [observe(AT_TARGET, one) for one in (*lasting, *ending)] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2


@pytest.mark.failure(REDIS_FROZEN_1)
def test_frozen_for_a_moment(rig: Rig, observe: Observe) -> None:
    """When Redis hangs for one second, all requests are answered, also those sent during it."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    with rig.redis_server.frozen():
        new = rig.send_each(_BOTH)
        rig.wait_seconds(1)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2
    assert [observe(NEW, one) for one in new] == [_ONCE] * 2


@pytest.mark.allows(refused=True, lost=True, unsure=True)
@pytest.mark.failure(REDIS_PAUSED)
def test_paused(rig: Rig, observe: Observe) -> None:
    """Late replies of Redis count as none: a request that the gateway has given up is never sent."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    rig.pause_load()
    rig.stack.redis.client_pause(4000)
    _expect_queuing_request_lost(rig, observe)
    _expect_new_requests_refused(rig, observe)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_connections_killed(rig: Rig, observe: Observe) -> None:
    """Connections that Redis closes repeatedly are reopened: no request is lost, no new one refused."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    for _ in range(10):
        rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
        rig.wait_seconds(0.1)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2
    # These connections are idle now: their close is found when they are used next.
    rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
    rig.wait_seconds(0.1)
    assert [observe(NEW, one) for one in rig.send_each(_BOTH)] == [_ONCE] * 2


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_connections_killed_under_many_requests(rig: Rig, observe: Observe) -> None:
    """With many clients during the kills, no request is refused or lost, and no transfer is broken off."""
    with rig.load.extra_clients(_EXTRA_CLIENTS):
        seen = _observe_both_during(
            rig, observe, lambda: rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
        )
    assert seen == [_ONCE] * 2


@pytest.mark.failure(REDIS_LINKS_RESET)
def test_links_reset_under_many_requests(rig: Rig, observe: Observe) -> None:
    """With many clients during resets that lose bytes, no request is refused or lost, no transfer broken off."""

    def reset() -> None:
        rig.gateway_to_redis.reset()
        rig.worker_to_redis.reset()

    with rig.load.extra_clients(_EXTRA_CLIENTS):
        seen = _observe_both_during(rig, observe, reset)
    assert seen == [_ONCE] * 2


@pytest.mark.allows(refused=True)
@pytest.mark.failure(REDIS_FULL)
def test_out_of_memory(rig: Rig, observe: Observe) -> None:
    """A full Redis accepts no new requests (503); all earlier ones are answered."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    rig.stack.redis.config_set("maxmemory", 1)
    _expect_new_requests_refused(rig, observe)
    seen = [observe(AT_TARGET, one) for one in at_target]
    rig.stack.redis.config_set("maxmemory", 0)
    assert seen == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2


def _fill_slots_and_queue(rig: Rig, seconds: float) -> tuple[list[ClientRequest], list[ClientRequest]]:
    at_target = rig.send_each(_BOTH * (SLOTS // 2), f"/high?mock_latency={seconds}")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(_BOTH)
    rig.wait_until_queued(2)
    return at_target, queued


def _served(rig: Rig) -> int:
    """Return how many requests have ended, by the record of the worker, which it renews each second."""
    (worker,) = rig.stack.redis.smembers(keys.WORKERS)
    return int(rig.stack.redis.hget(worker, "successful_job_count") or 0)


def _run_seconds(rig: Rig) -> float:
    """Return for how long Redis has run without a gap, as workers have noted it; 0 if none has since the hang."""
    seconds, microseconds = rig.stack.redis.time()
    began_at, noted_at = map(int, (rig.stack.redis.get(keys.REDIS_RUN) or b"server 0 0").split()[1:])
    now = seconds * 1000 + microseconds / 1000
    return (now - began_at) / 1000 if now - noted_at < 2000 else 0.0


def _expect_queuing_request_lost(rig: Rig, observe: Observe) -> None:
    """The gateway has sent this one to Redis, and cannot ask whether it was queued."""
    first = rig.send("POST")
    assert observe(BEING_QUEUED, first) == "502 request-lost, 0 attempts"
    rig.load.resume()
    assert first.result().seconds < _REFUSED_SECONDS
    assert not first.result().retry_after


def _expect_new_requests_refused(rig: Rig, observe: Observe) -> None:
    new = rig.send_each(_BOTH)
    assert [observe(NEW, one) for one in new] == [_REFUSED] * 2
    assert all(one.result().seconds < _REFUSED_SECONDS for one in new)
    assert all(one.result().retry_after for one in new)


def _observe_both_during(rig: Rig, observe: Observe, cut: Callable[[], object]) -> list[str]:
    """Cut connections every 0.1 s, or less often where a busy machine answers no request in between.

    Return the results of a GET and a POST that were sent half way through.
    """
    sent: list[ClientRequest] = []
    for number in range(_CUTS):
        cut()
        if number == _CUTS // 2:
            sent = rig.send_each(_BOTH)
        rig.wait_seconds(0.1)
        answered = len(rig.load.done)
        wait_until("some are answered", lambda: len(rig.load.done) > answered)  # noqa: B023 - waits here
    return [observe(NEW, one) for one in sent]
