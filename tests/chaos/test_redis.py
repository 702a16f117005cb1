"""Redis that goes away, hangs, loses data or is full: each request is answered, and no POST is served twice."""

from collections.abc import Callable

import pytest

from tests.chaos.asking import Asked
from tests.chaos.conftest import See
from tests.chaos.failures import (
    AT_TARGET,
    FIRST_NEW,
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
_PRESSING_CLIENTS = 16
_CUTS = 30
_REFUSED = "503 broker-unavailable, 0 attempts"


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
@pytest.mark.parametrize("fault", [REDIS_RESTARTED_EMPTY, REDIS_RESTARTED_WITH_DATA])
def test_restarted(rig: Rig, see: See, fault: str) -> None:
    """Requests at the target are answered; queued ones are retried if idempotent, else answered 502."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=4)
    rig.redis_server.kill()
    if fault is REDIS_RESTARTED_EMPTY:
        rig.redis_server.forget()
    _see_new_ones_refused(rig, see)
    rig.redis_server.start()
    assert [see(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE, "502 request-lost, 0 attempts"]


@pytest.mark.allows(refused=True, lost=True, unsure=True)
@pytest.mark.parametrize(("fault", "seconds"), [(REDIS_FROZEN_6, 6), (REDIS_FROZEN_20, 20)])
def test_frozen(rig: Rig, see: See, fault: str, seconds: int) -> None:
    """While Redis hangs, queued requests wait, none is lost; a POST being queued is 502 in 2 s, new ones 503."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=3)
    rig.pause_load()
    with rig.redis_server.frozen():
        _see_first_one_lost(rig, see)
        _see_new_ones_refused(rig, see)
        rig.until_seconds_have_passed(seconds - 2)
    assert [see(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE] * 2


@pytest.mark.failure(REDIS_FROZEN_1)
def test_frozen_for_a_moment(rig: Rig, see: See) -> None:
    """When Redis hangs for one second, all requests are answered, also those sent during it."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    with rig.redis_server.frozen():
        new = rig.ask_each(_BOTH)
        rig.until_seconds_have_passed(1)
    assert [see(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE] * 2
    assert [see(NEW, one) for one in new] == [_ONCE] * 2


@pytest.mark.allows(refused=True, lost=True, unsure=True)
@pytest.mark.failure(REDIS_PAUSED)
def test_paused(rig: Rig, see: See) -> None:
    """A Redis that replies late counts as one that hangs: a request that was given up is never sent."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    rig.pause_load()
    rig.stack.redis.client_pause(4000)
    _see_first_one_lost(rig, see)
    _see_new_ones_refused(rig, see)
    assert [see(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE] * 2


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_connections_killed(rig: Rig, see: See) -> None:
    """Connections that Redis closes repeatedly are reopened: no request is lost, no new one refused."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    for _ in range(10):
        rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
        rig.until_seconds_have_passed(0.1)
    assert [see(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE] * 2
    # These connections are idle now: their close is found when they are used next.
    rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
    rig.until_seconds_have_passed(0.1)
    assert [see(NEW, one) for one in rig.ask_each(_BOTH)] == [_ONCE] * 2


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_connections_killed_while_many_ask(rig: Rig, see: See) -> None:
    """With many clients during the kills, no request is refused or lost, and no transfer is broken off."""
    with rig.load.pressed(_PRESSING_CLIENTS):
        seen = _see_both_while(rig, see, lambda: rig.stack.redis.client_kill_filter(_type="normal", skipme=True))
    assert seen == [_ONCE] * 2


@pytest.mark.failure(REDIS_LINKS_RESET)
def test_links_reset_while_many_ask(rig: Rig, see: See) -> None:
    """With many clients during resets that lose bytes, no request is refused or lost, no transfer broken off."""

    def reset() -> None:
        rig.gateway_to_redis.reset()
        rig.worker_to_redis.reset()

    with rig.load.pressed(_PRESSING_CLIENTS):
        seen = _see_both_while(rig, see, reset)
    assert seen == [_ONCE] * 2


@pytest.mark.allows(refused=True)
@pytest.mark.failure(REDIS_FULL)
def test_out_of_memory(rig: Rig, see: See) -> None:
    """A full Redis accepts no new requests (503); all earlier ones are answered."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    rig.stack.redis.config_set("maxmemory", 1)
    _see_new_ones_refused(rig, see)
    seen = [see(AT_TARGET, one) for one in at_target]
    rig.stack.redis.config_set("maxmemory", 0)
    assert seen == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE] * 2


def _fill_slots_and_queue(rig: Rig, seconds: float) -> tuple[list[Asked], list[Asked]]:
    at_target = rig.ask_each(_BOTH * (SLOTS // 2), f"/high?mock_latency={seconds}")
    rig.until_at_target(*at_target)
    queued = rig.ask_each(_BOTH)
    rig.until_queued(2)
    return at_target, queued


def _see_first_one_lost(rig: Rig, see: See) -> None:
    """The gateway has sent this one to Redis, and cannot ask whether it was queued."""
    first = rig.ask("POST")
    assert see(FIRST_NEW, first) == "502 request-lost, 0 attempts"
    rig.load.resume()
    assert first.answer().seconds < _REFUSED_SECONDS
    assert not first.answer().retry_after


def _see_new_ones_refused(rig: Rig, see: See) -> None:
    new = rig.ask_each(_BOTH)
    assert [see(NEW, one) for one in new] == [_REFUSED] * 2
    assert all(one.answer().seconds < _REFUSED_SECONDS for one in new)
    assert all(one.answer().retry_after for one in new)


def _see_both_while(rig: Rig, see: See, cut: Callable[[], object]) -> list[str]:
    """Cut connections every 0.1 s, or less often where a busy machine answers no request in between.

    Return the results of a GET and a POST that were sent half way through.
    """
    asked: list[Asked] = []
    for number in range(_CUTS):
        cut()
        if number == _CUTS // 2:
            asked = rig.ask_each(_BOTH)
        rig.until_seconds_have_passed(0.1)
        answered = len(rig.load.done)
        wait_until("some are answered", lambda: len(rig.load.done) > answered)  # noqa: B023 - waits here
    return [see(NEW, one) for one in asked]
