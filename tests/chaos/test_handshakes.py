"""WebSocket handshakes under every fault of worker, gateway and Redis: the promises of a GET hold for them.

The rig checks after each scenario that every slot works: none is held for a handshake that has ended.
"""

import os
import signal
from collections.abc import Callable

import pytest

from tests.chaos.asking import Asked
from tests.chaos.link_faults import Hold
from tests.chaos.rig import Rig
from tests.harness import wait_until


def outcome(rig: Rig, asked: Asked) -> tuple[str, int]:
    """Return how the handshake was answered, and how often it reached the target."""
    return str(asked.answer(60)), rig.attempts(asked)


def claimed_but_unheard(rig: Rig) -> Asked:
    """Let a worker claim a handshake while Redis's reply to it is held back, so that it sends no Go."""
    with rig.workers_suspended():
        asked = rig.shake_hands()
        rig.until_queued(1)
        rig.worker_to_redis.downstream = Hold(where=lambda piece: b"fast_priority.job.forward" in piece)
    wait_until("it is taken", lambda: rig.started() == 1)
    return asked


def at_target(rig: Rig, seconds: float = 60) -> Asked:
    """Return a handshake at the target, which takes `seconds` for it and no time for later requests."""
    rig.target_takes(seconds)
    asked = rig.shake_hands()
    rig.until_at_target(asked)
    rig.target_takes(0)
    return asked


@pytest.mark.allows(lost=True, broken=True)
def test_a_worker_is_killed_before_it_sends_go(rig: Rig) -> None:
    """The target receives the handshake once."""
    asked = claimed_but_unheard(rig)
    rig.kill_worker()
    rig.worker_to_redis.heal()
    assert outcome(rig, asked) == ("200", 1)


@pytest.mark.allows(lost=True, broken=True)
def test_a_worker_is_killed_at_the_target(rig: Rig) -> None:
    """The handshake is sent to the target once more."""
    asked = at_target(rig)
    rig.kill_worker()
    assert outcome(rig, asked) == ("200", 2)


@pytest.mark.allows(lost=True, broken=True)
def test_a_worker_is_killed_again(rig: Rig) -> None:
    """There is no third attempt."""
    rig.target_takes(60)
    asked = rig.shake_hands()
    rig.until_at_target(asked)
    rig.kill_worker()
    wait_until("it is at the target again", lambda: rig.attempts(asked) == 2)
    rig.target_takes(0)
    rig.kill_worker()
    assert outcome(rig, asked) == ("502 request-lost", 2)


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.parametrize(("begin", "attempts"), [(claimed_but_unheard, 1), (at_target, 2)])
def test_a_worker_is_frozen(rig: Rig, begin: Callable[[Rig], Asked], attempts: int) -> None:
    """Another worker takes the handshake, and a Go of the resumed worker is ignored."""
    asked = begin(rig)
    with rig.workers_frozen():
        rig.worker_to_redis.heal()
        rig.start_workers()
        assert outcome(rig, asked) == ("200", attempts)
    for other in rig.pools[1:]:
        other.terminate()
        other.wait(20)
    assert rig.ask("GET").answer().status == 200
    assert rig.attempts(asked) == attempts


def test_a_worker_is_told_to_end(rig: Rig) -> None:
    """A worker that is stopping holds its slots until the target has answered."""
    asked = at_target(rig, 2)
    (pool,) = rig.pools
    pool.send_signal(signal.SIGTERM)
    rig.load.end_transfers()
    assert outcome(rig, asked) == ("200", 1)
    pool.wait(20)
    rig.have_workers()


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.parametrize("begin", [claimed_but_unheard, at_target])
def test_a_client_leaves(rig: Rig, begin: Callable[[Rig], Asked]) -> None:
    """When the client disconnects, the handshake ends and the slot is free, whether or not the target has it."""
    asked = begin(rig)
    before = rig.attempts(asked)
    asked.leave()
    asked.answer()
    rig.worker_to_redis.heal()
    wait_until("it is over", lambda: rig.started() == 0)
    assert rig.attempts(asked) == before


@pytest.mark.allows(closed=True)
def test_a_gateway_is_killed(rig: Rig) -> None:
    """The client's connection closes, and the slot is free soon."""
    asked = at_target(rig)
    rig.gateway.kill()
    rig.gateway.wait()
    assert outcome(rig, asked) == ("connection closed", 1)
    wait_until("the slot is free", lambda: rig.started() == 0, 60)
    rig.have_gateway()


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
def test_a_gateway_is_frozen_with_a_go_that_it_has_not_read(rig: Rig) -> None:
    """Its slot was freed in the meantime: the gateway requests another one before it connects to the target."""
    with rig.workers_suspended():
        asked = rig.shake_hands()
        rig.until_queued(1)
        rig.stack.health()  # the gateway has read by then that it is queued
        os.kill(rig.gateway.pid, signal.SIGSTOP)
    try:
        wait_until("a worker holds a slot for it", lambda: rig.started() == 1)
        wait_until("the worker has freed it", lambda: rig.started() == 0, 60)
    finally:
        os.kill(rig.gateway.pid, signal.SIGCONT)
    assert outcome(rig, asked) == ("200", 1)


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
def test_redis_comes_back_empty(rig: Rig) -> None:
    """A handshake at the target is answered, and the slot is free."""
    asked = at_target(rig, 3)
    rig.redis_server.kill()
    rig.redis_server.start()
    assert outcome(rig, asked) == ("200", 1)


@pytest.mark.allows(refused=True, lost=True, unsure=True)
def test_redis_hangs_as_it_ends(rig: Rig) -> None:
    """A handshake that ends while Redis hangs is answered, and the slot is free when Redis resumes."""
    asked = at_target(rig, 1)
    os.kill(rig.redis_server.pid, signal.SIGSTOP)
    try:
        assert outcome(rig, asked) == ("200", 1)
    finally:
        os.kill(rig.redis_server.pid, signal.SIGCONT)


@pytest.mark.allows(lost=True, broken=True)
def test_redis_loses_the_leave(rig: Rig) -> None:
    """A worker that never receives the Cancel, and whose Redis lost the request, frees the slot by itself."""
    asked = at_target(rig, 1)
    with rig.workers_frozen():
        assert outcome(rig, asked) == ("200", 1)
        rig.stack.redis.flushall()


@pytest.mark.without_load  # a stock worker has one slot, and forks for each request
def test_a_stock_worker(rig: Rig) -> None:
    """rq's own worker holds its one slot in the same way, until the target answers or the client disconnects."""
    rig.end_workers()
    rig.start_stock_worker()
    left = at_target(rig)
    left.leave()
    left.answer()
    answered = rig.shake_hands()
    assert outcome(rig, answered) == ("200", 1)
    rig.end_workers()
    rig.have_workers()
