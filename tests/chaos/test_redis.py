"""Redis that goes away, hangs, forgets or is full: nobody waits in vain for it, and nobody is served twice."""

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
# Promised are 2 s; a busy machine adds to it.
_REFUSED_SECONDS = 4
_ONCE = "200, 1 attempt"
_PRESSING_CLIENTS = 16
_CUTS = 30
_REFUSED = "503 broker-unavailable, 0 attempts"


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
@pytest.mark.parametrize("fault", [REDIS_RESTARTED_EMPTY, REDIS_RESTARTED_WITH_DATA])
def test_restarted(rig: Rig, see: See, fault: str) -> None:
    """What is at the target is answered all the same; what waited goes again if idempotent, else it is 502."""
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
    """A Redis that hangs delays who waits and loses nobody; a POST on its way is 502 in 2 s, who comes next 503."""
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
    """A Redis that hangs for a second is noticed by nobody: everybody is answered, who comes meanwhile as well."""
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
    """A Redis that takes commands and answers late is the same as one that hangs: what was given up is never sent."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    rig.pause_load()
    rig.stack.redis.client_pause(4000)
    _see_first_one_lost(rig, see)
    _see_new_ones_refused(rig, see)
    assert [see(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE] * 2


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_connections_killed(rig: Rig, see: See) -> None:
    """Connections that Redis closes, again and again, are made anew: nothing under way is lost, nothing new refused."""
    at_target, queued = _fill_slots_and_queue(rig, seconds=2)
    for _ in range(10):
        rig.stack.redis.client_kill_filter(_type="normal", skipme=True)
        rig.until_seconds_have_passed(0.1)
    assert [see(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [see(QUEUED, one) for one in queued] == [_ONCE] * 2
    rig.stack.redis.client_kill_filter(_type="normal", skipme=True)  # now they are idle, and nobody has noticed
    rig.until_seconds_have_passed(0.1)
    assert [see(NEW, one) for one in rig.ask_each(_BOTH)] == [_ONCE] * 2


@pytest.mark.failure(REDIS_CONNECTIONS_KILLED)
def test_connections_killed_while_many_ask(rig: Rig, see: See) -> None:
    """Nobody of many who ask at once meanwhile is refused or lost, and no transfer breaks off."""
    with rig.load.pressed(_PRESSING_CLIENTS):
        seen = _see_both_while(rig, see, lambda: rig.stack.redis.client_kill_filter(_type="normal", skipme=True))
    assert seen == [_ONCE] * 2


@pytest.mark.failure(REDIS_LINKS_RESET)
def test_links_reset_while_many_ask(rig: Rig, see: See) -> None:
    """The same where what travels is lost with the connection, on its way to Redis or back."""

    def reset() -> None:
        rig.gateway_to_redis.reset()
        rig.worker_to_redis.reset()

    with rig.load.pressed(_PRESSING_CLIENTS):
        seen = _see_both_while(rig, see, reset)
    assert seen == [_ONCE] * 2


@pytest.mark.allows(refused=True)
@pytest.mark.failure(REDIS_FULL)
def test_out_of_memory(rig: Rig, see: See) -> None:
    """A Redis without memory takes nothing new, so new requests are 503; all that it had is carried and answered."""
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
    """The submit of this one is written, and Redis cannot be asked whether it was carried out."""
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
    """Cut connections each 0.1 s, or less often where a busy machine answers nobody in between.

    Returns what became of a GET and a POST that were sent in the midst of it.
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
