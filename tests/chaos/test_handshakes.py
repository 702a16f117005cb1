"""WebSocket handshakes under every fault of worker, gateway and Redis: the promises of a GET hold for them.

The rig checks after each scenario that every slot works: none is held for a handshake that has ended.
"""

import os
import signal
from collections.abc import Callable

import pytest

from tests.chaos.client_request import ClientRequest
from tests.chaos.link_faults import Hold
from tests.chaos.rig import Rig
from tests.harness import wait_until


def outcome(rig: Rig, sent: ClientRequest) -> tuple[str, int]:
    """Return how the handshake was answered, and how often it reached the target."""
    return str(sent.result(60)), rig.attempts(sent)


def claimed_but_not_received(rig: Rig) -> ClientRequest:
    """Let a worker claim a handshake while Redis's reply to it is held back, so that it sends no Go."""
    with rig.workers_suspended():
        sent = rig.send_handshake()
        rig.wait_until_queued(1)
        rig.worker_to_redis.downstream = Hold(where=lambda piece: b"fast_priority.job.forward" in piece)
    wait_until("the handshake is claimed", lambda: rig.started() == 1)
    return sent


def at_target(rig: Rig, seconds: float = 60) -> ClientRequest:
    """Return a handshake at the target, which takes `seconds` for it and no time for later requests."""
    rig.set_target_latency(seconds)
    sent = rig.send_handshake()
    rig.wait_until_at_target(sent)
    rig.set_target_latency(0)
    return sent


@pytest.mark.allows(lost=True, broken=True)
def test_a_worker_is_killed_before_it_sends_go(rig: Rig) -> None:
    """The target receives the handshake once."""
    sent = claimed_but_not_received(rig)
    rig.kill_worker()
    rig.worker_to_redis.heal()
    assert outcome(rig, sent) == ("200", 1)


@pytest.mark.allows(lost=True, broken=True)
def test_a_worker_is_killed_at_the_target(rig: Rig) -> None:
    """The handshake is sent to the target once more."""
    sent = at_target(rig)
    rig.kill_worker()
    assert outcome(rig, sent) == ("200", 2)


@pytest.mark.allows(lost=True, broken=True)
def test_a_worker_is_killed_again(rig: Rig) -> None:
    """There is no third attempt."""
    rig.set_target_latency(60)
    sent = rig.send_handshake()
    rig.wait_until_at_target(sent)
    rig.kill_worker()
    wait_until("it is at the target again", lambda: rig.attempts(sent) == 2)
    rig.set_target_latency(0)
    rig.kill_worker()
    assert outcome(rig, sent) == ("502 request-lost", 2)


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.parametrize(("begin", "attempts"), [(claimed_but_not_received, 1), (at_target, 2)])
def test_a_worker_is_frozen(rig: Rig, begin: Callable[[Rig], ClientRequest], attempts: int) -> None:
    """Another worker takes the handshake, and a Go of the resumed worker is ignored."""
    sent = begin(rig)
    with rig.workers_frozen():
        rig.worker_to_redis.heal()
        rig.start_workers()
        assert outcome(rig, sent) == ("200", attempts)
    for other in rig.pools[1:]:
        other.terminate()
        other.wait(20)
    assert rig.send("GET").result().status == 200
    assert rig.attempts(sent) == attempts


def test_a_worker_is_stopped(rig: Rig) -> None:
    """A worker that is stopping holds its slots until the target has answered."""
    sent = at_target(rig, 2)
    (pool,) = rig.pools
    pool.send_signal(signal.SIGTERM)
    rig.load.end_transfers()
    assert outcome(rig, sent) == ("200", 1)
    pool.wait(20)
    rig.ensure_workers()


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.parametrize("begin", [claimed_but_not_received, at_target])
def test_a_client_disconnects(rig: Rig, begin: Callable[[Rig], ClientRequest]) -> None:
    """When the client disconnects, the handshake ends and the slot is free, whether or not the target has it."""
    sent = begin(rig)
    before = rig.attempts(sent)
    sent.disconnect()
    sent.result()
    rig.worker_to_redis.heal()
    wait_until("the handshake has ended", lambda: rig.started() == 0)
    assert rig.attempts(sent) == before


@pytest.mark.allows(closed=True)
def test_a_gateway_is_killed(rig: Rig) -> None:
    """The client's connection closes, and the slot is free soon."""
    sent = at_target(rig)
    rig.gateway.kill()
    rig.gateway.wait()
    assert outcome(rig, sent) == ("connection closed", 1)
    wait_until("the slot is free", lambda: rig.started() == 0, 60)
    rig.ensure_gateway()


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
def test_a_gateway_is_frozen_with_an_unread_go(rig: Rig) -> None:
    """Its slot was freed in the meantime: the gateway requests another one before it connects to the target."""
    with rig.workers_suspended():
        sent = rig.send_handshake()
        rig.wait_until_queued(1)
        rig.stack.health()  # the gateway has read by then that it is queued
        os.kill(rig.gateway.pid, signal.SIGSTOP)
    try:
        wait_until("a worker holds a slot for it", lambda: rig.started() == 1)
        wait_until("the worker has freed it", lambda: rig.started() == 0, 60)
    finally:
        os.kill(rig.gateway.pid, signal.SIGCONT)
    assert outcome(rig, sent) == ("200", 1)


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
def test_redis_is_restarted(rig: Rig) -> None:
    """A handshake at the target is answered, and the slot is free."""
    sent = at_target(rig, 3)
    rig.redis_server.kill()
    rig.redis_server.start()
    assert outcome(rig, sent) == ("200", 1)


@pytest.mark.allows(refused=True, lost=True, unsure=True)
def test_redis_hangs_when_the_handshake_ends(rig: Rig) -> None:
    """A handshake that ends while Redis hangs is answered, and the slot is free when Redis resumes."""
    sent = at_target(rig, 1)
    os.kill(rig.redis_server.pid, signal.SIGSTOP)
    try:
        assert outcome(rig, sent) == ("200", 1)
    finally:
        os.kill(rig.redis_server.pid, signal.SIGCONT)


# A piece of the load's upload is lost, too: its end is seen after TIMEOUT + CLIENT_TIMEOUT + 15 s.
@pytest.mark.gateway(FAST_PRIORITY_TIMEOUT="10", FAST_PRIORITY_CLIENT_TIMEOUT="10")
@pytest.mark.allows(lost=True, broken=True)
def test_redis_loses_the_cancel(rig: Rig) -> None:
    """A worker that never receives the Cancel, and whose Redis lost the request, frees the slot by itself."""
    sent = at_target(rig, 1)
    with rig.workers_frozen():
        assert outcome(rig, sent) == ("200", 1)
        rig.stack.redis.flushall()


@pytest.mark.without_load  # a stock worker has one slot, and forks for each request
def test_a_stock_worker(rig: Rig) -> None:
    """rq's own worker holds its one slot in the same way, until the target answers or the client disconnects."""
    rig.end_workers()
    rig.start_stock_worker()
    left = at_target(rig)
    left.disconnect()
    left.result()
    answered = rig.send_handshake()
    assert outcome(rig, answered) == ("200", 1)
    rig.end_workers()
    rig.ensure_workers()
