"""Links that fail while the processes at both ends live."""

import pytest

from tests.chaos.conftest import Observe
from tests.chaos.failures import (
    AT_TARGET,
    BEING_QUEUED,
    GATEWAY_CUT_OFF,
    GATEWAY_REPLIES_LATE,
    GATEWAY_REPLIES_LOST,
    NEW,
    QUEUED,
    SLOW_NETWORK,
    WORKER_CUT_OFF,
    WORKER_REPLIES_LATE,
    WORKER_REPLIES_LOST,
)
from tests.chaos.link_faults import Delay, Fault, Hold, Swallow
from tests.chaos.rig import SLOTS, Rig

_BOTH = ("GET", "POST")
_REFUSED_SECONDS = 4


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_CUT_OFF)
def test_workers_cut_off_from_redis(rig: Rig, observe: Observe) -> None:
    """Requests of cut-off workers are retried once or answered 502; late responses are dropped. Queued ones wait."""
    at_target = rig.send_each(_BOTH, "/high?mock_latency=2")
    rig.wait_until_at_target(*at_target)
    rig.worker_to_redis.inject(Swallow())
    queued = rig.send_each(_BOTH)
    rig.wait_seconds(8)
    rig.worker_to_redis.heal()
    assert [observe(AT_TARGET, one) for one in at_target] == ["200, 2 attempts", "502 request-lost, 1 attempt"]
    assert [observe(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
@pytest.mark.failure(GATEWAY_CUT_OFF)
def test_gateway_cut_off_from_redis(rig: Rig, observe: Observe) -> None:
    """A POST being queued is 502 within 2 s, new requests are 503; none is sent. Queued ones are answered later.

    What is at the target for longer than 3.5 s meanwhile is aborted there: the gateway looks dead.
    """
    at_target = rig.send_each(_BOTH * (SLOTS // 2), "/high?mock_latency=2")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(_BOTH)
    rig.wait_until_queued(2)
    rig.pause_load()
    rig.gateway_to_redis.inject(Swallow())
    first = rig.send("POST")
    assert observe(BEING_QUEUED, first) == "502 request-lost, 0 attempts"
    rig.load.resume()
    new = rig.send_each(_BOTH)
    assert [observe(NEW, one) for one in new] == ["503 broker-unavailable, 0 attempts"] * 2
    assert all(one.result().seconds < _REFUSED_SECONDS for one in (first, *new))
    rig.wait_seconds(2)
    rig.gateway_to_redis.heal()
    assert [observe(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


@pytest.mark.failure(SLOW_NETWORK)
def test_slow_network(rig: Rig, observe: Observe) -> None:
    """Delayed packets delay responses, and have no other effect."""
    for link in (rig.gateway_to_redis, rig.worker_to_redis):
        link.inject(Delay(0.05))
    sent = rig.send_each(_BOTH * 5)
    assert [observe(NEW, one) for one in sent] == ["200, 1 attempt"] * 10
    for link in (rig.gateway_to_redis, rig.worker_to_redis):
        link.heal()


@pytest.mark.parametrize(
    ("fault", "loss"), [(GATEWAY_REPLIES_LATE, Hold()), (GATEWAY_REPLIES_LOST, Swallow())], ids=["late", "lost"]
)
@pytest.mark.allows(refused=True, lost=True, broken=True, unsure=True)
def test_gateway_receives_nothing_from_redis(rig: Rig, observe: Observe, fault: str, loss: Fault) -> None:
    """A POST that the target has, but whose gateway gets no reply, is 502, not 503; new requests are 503."""
    at_target = rig.send_each(_BOTH, "/high?mock_latency=2")
    rig.wait_until_at_target(*at_target)
    rig.pause_load()
    rig.gateway_to_redis.downstream = loss
    first = rig.send("POST")
    assert observe(BEING_QUEUED, first) == "502 request-lost, 1 attempt"
    assert first.result().retry_after is None
    rig.load.resume()
    new = rig.send_each(_BOTH)
    assert [observe(NEW, one) for one in new] == ["503 broker-unavailable, 0 attempts"] * 2
    assert all(one.result().seconds < _REFUSED_SECONDS and one.result().retry_after for one in new)
    rig.wait_seconds(2)
    rig.gateway_to_redis.heal()
    assert [observe(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * 2


@pytest.mark.parametrize(
    ("fault", "loss"), [(WORKER_REPLIES_LATE, Hold()), (WORKER_REPLIES_LOST, Swallow())], ids=["late", "lost"]
)
@pytest.mark.allows(lost=True, broken=True)
def test_workers_receive_nothing_from_redis(rig: Rig, observe: Observe, fault: str, loss: Fault) -> None:
    """A POST reaches the target at most once, a GET twice; each is answered. Queued requests wait for the link."""
    at_target = rig.send_each(_BOTH, "/high?mock_latency=2")
    rig.wait_until_at_target(*at_target)
    rig.worker_to_redis.downstream = loss
    new = rig.send_each(_BOTH)
    rig.wait_seconds(8)
    rig.worker_to_redis.heal()
    get, post = (observe(AT_TARGET, one) for one in at_target)
    # The worker that claims a retry may be the one that then finds its lease expired.
    assert get in ("200, 1 attempt", "200, 2 attempts", "502 request-lost, 1 attempt")
    assert post in ("200, 1 attempt", "502 request-lost, 1 attempt")
    get, post = (observe(NEW, one) for one in new)
    assert get in (
        "200, 1 attempt",
        "200, 2 attempts",
        "502 request-lost, 0 attempts",
        "502 request-not-sent, 0 attempts",
    )
    assert post in ("200, 1 attempt", "502 request-lost, 0 attempts", "502 request-not-sent, 0 attempts")
