"""Links that fail while both of their ends live."""

import pytest

from tests.chaos.conftest import See
from tests.chaos.failures import AT_TARGET, FIRST_NEW, GATEWAY_CUT_OFF, NEW, QUEUED, SLOW_NETWORK, WORKER_CUT_OFF
from tests.chaos.link_faults import Delay, Swallow
from tests.chaos.rig import SLOTS, Rig

_BOTH = ("GET", "POST")
_REFUSED_SECONDS = 4


@pytest.mark.failure(WORKER_CUT_OFF)
def test_workers_cut_off_from_redis(rig: Rig, see: See) -> None:
    """Who lost its worker is settled as after a death; late answers go to nobody; what waits waits for the link."""
    at_target = rig.ask_each(_BOTH, "/high?mock_latency=2")
    rig.until_at_target(*at_target)
    rig.worker_to_redis.strike(Swallow())
    queued = rig.ask_each(_BOTH)
    rig.until_seconds_have_passed(8)
    rig.worker_to_redis.heal()
    assert [see(AT_TARGET, one) for one in at_target] == ["200, 2 attempts", "502 request-lost, 1 attempt"]
    assert [see(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


@pytest.mark.failure(GATEWAY_CUT_OFF)
def test_gateway_cut_off_from_redis(rig: Rig, see: See) -> None:
    """A POST on its way is 502 in 2 s, who comes next 503; neither is sent. Who waited is answered afterwards."""
    at_target = rig.ask_each(_BOTH * (SLOTS // 2), "/high?mock_latency=2")
    rig.until_at_target(*at_target)
    queued = rig.ask_each(_BOTH)
    rig.until_queued(2)
    rig.gateway_to_redis.strike(Swallow())
    first = rig.ask("POST")
    assert see(FIRST_NEW, first) == "502 request-lost, 0 attempts"
    new = rig.ask_each(_BOTH)
    assert [see(NEW, one) for one in new] == ["503 broker-unavailable, 0 attempts"] * 2
    assert all(one.answer().seconds < _REFUSED_SECONDS for one in (first, *new))
    rig.until_seconds_have_passed(2)
    rig.gateway_to_redis.heal()
    assert [see(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * SLOTS
    assert [see(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


@pytest.mark.failure(SLOW_NETWORK)
def test_slow_network(rig: Rig, see: See) -> None:
    """Late packets make late answers, and nothing else."""
    for link in (rig.gateway_to_redis, rig.worker_to_redis):
        link.strike(Delay(0.05))
    asked = rig.ask_each(_BOTH * 5)
    assert [see(NEW, one) for one in asked] == ["200, 1 attempt"] * 10
