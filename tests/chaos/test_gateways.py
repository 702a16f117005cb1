"""Gateways that are killed, frozen or stopped: no work for clients that are gone, no loss in a graceful stop."""

import signal
from contextlib import ExitStack

import pytest

from tests.chaos.conftest import Observe
from tests.chaos.failures import (
    AT_TARGET,
    BEING_QUEUED,
    GATEWAY_FROZEN,
    GATEWAY_FROZEN_LONG,
    GATEWAY_FROZEN_UNTIL_GONE,
    GATEWAY_KILLED,
    GATEWAY_STOPPED,
    NEW,
    QUEUED,
)
from tests.chaos.link_faults import Hold
from tests.chaos.rig import SLOTS, Rig
from tests.harness import wait_until

_BOTH = ("GET", "POST")
_ONCE = "200, 1 attempt"


@pytest.mark.allows(closed=True)
@pytest.mark.failure(GATEWAY_KILLED)
def test_killed_with_requests_in_flight(rig: Rig, observe: Observe) -> None:
    """Within 5 s, calls of a dead gateway are aborted at the target, and its queued requests dropped unsent."""
    at_target = rig.send_each(("GET", "POST") * (SLOTS // 2), "/high?mock_latency=60")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(("GET", "POST"))
    rig.wait_until_queued(2)
    rig.gateway.kill()
    wait_until("its calls to the target are aborted", lambda: rig.in_flight() == 0, 25)
    wait_until("its queued requests are dropped", lambda: rig.queued() == 0)
    rig.start_gateway()
    assert [observe(AT_TARGET, one) for one in at_target] == ["connection closed, 1 attempt"] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == ["connection closed, 0 attempts"] * 2


@pytest.mark.allows(closed=True)
@pytest.mark.failure(GATEWAY_KILLED)
def test_killed_with_free_slots_later(rig: Rig, observe: Observe) -> None:
    """Nothing that a dead gateway has queued is sent later than 5 s after its death, also where slots are free."""
    with rig.workers_suspended():
        queued = rig.send_each(_BOTH * 5)
        rig.wait_until_queued(10)
        rig.gateway.kill()
        rig.wait_seconds(5.5)
    wait_until("its queued requests are dropped", lambda: rig.queued() == 0)
    rig.start_gateway()
    assert [observe(QUEUED, one) for one in queued] == ["connection closed, 0 attempts"] * 10


@pytest.mark.allows(closed=True)
@pytest.mark.failure(GATEWAY_STOPPED)
def test_stopped(rig: Rig, observe: Observe) -> None:
    """On SIGTERM, a gateway answers all requests that it has accepted, also the queued ones, and then exits."""
    at_target = rig.send_each(("GET", "POST") * (SLOTS // 2), "/high?mock_latency=1.5")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(("GET", "POST"))
    rig.wait_until_queued(2)
    ending = rig.gateway
    ending.send_signal(signal.SIGTERM)
    rig.load.end_transfers()
    assert [observe(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2
    ending.wait(20)
    rig.start_gateway()


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        # It refuses what it had read and not yet queued: the deadline for that has passed.
        pytest.param(GATEWAY_FROZEN, 2.5, marks=pytest.mark.allows(refused=True)),
        # Its sign of life ends after 3.5 s, and then its calls at the target are aborted.
        pytest.param(
            GATEWAY_FROZEN_LONG, 20, marks=pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
        ),
    ],
)
def test_frozen(rig: Rig, observe: Observe, fault: str, seconds: float) -> None:
    """No request is refused or lost: those sent before and during the freeze are answered after it."""
    at_target = rig.send_each(_BOTH * (SLOTS // 2), "/high?mock_latency=1.5")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(_BOTH)
    rig.wait_until_queued(2)
    with rig.gateway_frozen():
        new = rig.send_each(_BOTH)
        rig.wait_seconds(seconds)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2
    assert [observe(NEW, one) for one in new] == [_ONCE] * 2


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
@pytest.mark.failure(GATEWAY_FROZEN_UNTIL_GONE)
def test_frozen_for_longer_than_its_heartbeat(rig: Rig, observe: Observe) -> None:
    """A call still at the target after 5 s is aborted there; then a GET is retried, and a POST answered 502."""
    rig.set_target_latency(60)
    sent = rig.send_each(_BOTH)
    rig.wait_until_at_target(*sent)
    rig.set_target_latency(0)
    with rig.gateway_frozen():
        wait_until("its calls to the target are aborted", lambda: rig.in_flight() == 0, 40)
    assert [observe(AT_TARGET, one) for one in sent] == ["200, 2 attempts", "502 request-lost, 1 attempt"]


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
@pytest.mark.failure(GATEWAY_FROZEN_UNTIL_GONE)
def test_frozen_while_its_requests_are_dropped(rig: Rig, observe: Observe) -> None:
    """What was dropped from the queues meanwhile is queued again when the gateway goes on, and sent once."""
    with ExitStack() as frozen:
        with rig.workers_suspended():
            queued = rig.send_each(_BOTH * 2)
            rig.wait_until_queued(4)
            frozen.enter_context(rig.gateway_frozen())
            rig.wait_seconds(6)
        wait_until("its queued requests are dropped", lambda: rig.queued() == 0)
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 4


@pytest.mark.allows(refused=True)
@pytest.mark.parametrize(("fault", "seconds"), [(GATEWAY_FROZEN, 2.5)])
def test_frozen_with_unread_replies(rig: Rig, observe: Observe, fault: str, seconds: float) -> None:
    """A POST at the target is answered, although the frozen gateway reads late that it was queued."""
    rig.pause_load()
    with ExitStack() as frozen:
        with rig.workers_suspended():
            rig.gateway_to_redis.downstream = Hold()
            sent = rig.send("POST")
            rig.wait_until_queued(1)
            frozen.enter_context(rig.gateway_frozen())
        rig.wait_until_at_target(sent)
        rig.gateway_to_redis.heal()
        rig.load.resume()
        rig.wait_seconds(seconds)
    assert observe(BEING_QUEUED, sent) == _ONCE
