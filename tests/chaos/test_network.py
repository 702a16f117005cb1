"""Links that fail while the processes at both ends live."""

import pytest

from tests.chaos.conftest import See
from tests.chaos.failures import (
    AT_TARGET,
    FIRST_NEW,
    GATEWAY_ANSWERS_LATE,
    GATEWAY_ANSWERS_LOST,
    GATEWAY_CUT_OFF,
    NEW,
    QUEUED,
    SLOW_NETWORK,
    WORKER_ANSWERS_LATE,
    WORKER_ANSWERS_LOST,
    WORKER_CUT_OFF,
)
from tests.chaos.link_faults import Delay, Fault, Hold, Swallow
from tests.chaos.rig import SLOTS, Rig

_BOTH = ("GET", "POST")
_REFUSED_SECONDS = 4


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_CUT_OFF)
def test_workers_cut_off_from_redis(rig: Rig, see: See) -> None:
    """Requests of cut-off workers are resolved as after a death, late responses dropped; queued ones wait."""
    at_target = rig.ask_each(_BOTH, "/high?mock_latency=2")
    rig.until_at_target(*at_target)
    rig.worker_to_redis.strike(Swallow())
    queued = rig.ask_each(_BOTH)
    rig.until_seconds_have_passed(8)
    rig.worker_to_redis.heal()
    assert [see(AT_TARGET, one) for one in at_target] == ["200, 2 attempts", "502 request-lost, 1 attempt"]
    assert [see(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


@pytest.mark.allows(refused=True, lost=True, unsure=True)
@pytest.mark.failure(GATEWAY_CUT_OFF)
def test_gateway_cut_off_from_redis(rig: Rig, see: See) -> None:
    """A POST being queued is 502 in 2 s, new ones 503; none is sent. Queued requests are answered afterwards."""
    at_target = rig.ask_each(_BOTH * (SLOTS // 2), "/high?mock_latency=2")
    rig.until_at_target(*at_target)
    queued = rig.ask_each(_BOTH)
    rig.until_queued(2)
    rig.pause_load()
    rig.gateway_to_redis.strike(Swallow())
    first = rig.ask("POST")
    assert see(FIRST_NEW, first) == "502 request-lost, 0 attempts"
    rig.load.resume()
    new = rig.ask_each(_BOTH)
    assert [see(NEW, one) for one in new] == ["503 broker-unavailable, 0 attempts"] * 2
    assert all(one.answer().seconds < _REFUSED_SECONDS for one in (first, *new))
    rig.until_seconds_have_passed(2)
    rig.gateway_to_redis.heal()
    assert [see(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * SLOTS
    assert [see(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


@pytest.mark.failure(SLOW_NETWORK)
def test_slow_network(rig: Rig, see: See) -> None:
    """Delayed packets delay responses, and have no other effect."""
    for link in (rig.gateway_to_redis, rig.worker_to_redis):
        link.strike(Delay(0.05))
    asked = rig.ask_each(_BOTH * 5)
    assert [see(NEW, one) for one in asked] == ["200, 1 attempt"] * 10
    for link in (rig.gateway_to_redis, rig.worker_to_redis):
        link.heal()


@pytest.mark.parametrize(
    ("fault", "loss"), [(GATEWAY_ANSWERS_LATE, Hold()), (GATEWAY_ANSWERS_LOST, Swallow())], ids=["late", "lost"]
)
@pytest.mark.allows(refused=True, lost=True, unsure=True)
def test_gateway_hears_nothing_from_redis(rig: Rig, see: See, fault: str, loss: Fault) -> None:
    """A POST at the target whose gateway gets no replies is 502 and not 503; new requests are 503."""
    at_target = rig.ask_each(_BOTH, "/high?mock_latency=2")
    rig.until_at_target(*at_target)
    rig.pause_load()
    rig.gateway_to_redis.downstream = loss
    first = rig.ask("POST")
    assert see(FIRST_NEW, first) == "502 request-lost, 1 attempt"
    assert first.answer().retry_after is None
    rig.load.resume()
    new = rig.ask_each(_BOTH)
    assert [see(NEW, one) for one in new] == ["503 broker-unavailable, 0 attempts"] * 2
    assert all(one.answer().seconds < _REFUSED_SECONDS and one.answer().retry_after for one in new)
    rig.until_seconds_have_passed(2)
    rig.gateway_to_redis.heal()
    assert [see(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * 2


@pytest.mark.parametrize(
    ("fault", "loss"), [(WORKER_ANSWERS_LATE, Hold()), (WORKER_ANSWERS_LOST, Swallow())], ids=["late", "lost"]
)
@pytest.mark.allows(lost=True, broken=True)
def test_workers_hear_nothing_from_redis(rig: Rig, see: See, fault: str, loss: Fault) -> None:
    """A POST reaches the target at most once, a GET twice; each is answered. Queued requests wait for the link."""
    at_target = rig.ask_each(_BOTH, "/high?mock_latency=2")
    rig.until_at_target(*at_target)
    rig.worker_to_redis.downstream = loss
    new = rig.ask_each(_BOTH)
    rig.until_seconds_have_passed(8)
    rig.worker_to_redis.heal()
    get, post = (see(AT_TARGET, one) for one in at_target)
    # The worker that claims a retry may be the one that then finds its lease expired.
    assert get in ("200, 1 attempt", "200, 2 attempts", "502 request-lost, 1 attempt")
    assert post in ("200, 1 attempt", "502 request-lost, 1 attempt")
    get, post = (see(NEW, one) for one in new)
    assert get in (
        "200, 1 attempt",
        "200, 2 attempts",
        "502 request-lost, 0 attempts",
        "502 request-not-sent, 0 attempts",
    )
    assert post in ("200, 1 attempt", "502 request-lost, 0 attempts", "502 request-not-sent, 0 attempts")
