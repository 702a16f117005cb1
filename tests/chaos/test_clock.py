"""A Redis whose wall clock is set while it runs: keys may expire early or late, and no client may notice."""

import pytest

from tests.chaos.client_request import ClientRequest
from tests.chaos.conftest import Observe
from tests.chaos.failures import AT_TARGET, CLOCK_BACKWARD, CLOCK_FAR_FORWARD, CLOCK_FORWARD, NEW, QUEUED
from tests.chaos.redis_clock import clock_unavailable_reason
from tests.chaos.rig import SLOTS, Rig

pytestmark = pytest.mark.skipif(bool(clock_unavailable_reason()), reason=clock_unavailable_reason())

_BOTH = ("GET", "POST")
_ONCE = "200, 1 attempt"
_SERVICE_SECONDS = 4
_TTL_SECONDS = 300
_JUMPS = [
    (CLOCK_FORWARD, 2),
    (CLOCK_FORWARD, 5),
    (CLOCK_BACKWARD, -5),
    (CLOCK_BACKWARD, -3600),
]


@pytest.mark.parametrize(("fault", "seconds"), _JUMPS)
def test_jumps(rig: Rig, observe: Observe, fault: str, seconds: int) -> None:
    """A jump of Redis's clock changes nothing for clients: requests before and after it are answered."""
    assert rig.clock is not None
    at_target, queued = _fill_slots_and_queue(rig)
    rig.clock.jump(seconds)
    new = rig.send_each(_BOTH)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE] * 2
    assert [observe(NEW, one) for one in new] == [_ONCE] * 2


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.parametrize(("fault", "seconds"), [(CLOCK_FAR_FORWARD, 61), (CLOCK_FAR_FORWARD, 3600)])
def test_jumps_past_the_expiry_of_keys(rig: Rig, observe: Observe, fault: str, seconds: int) -> None:
    """Requests at the target and new ones are answered; those whose data in Redis has expired are lost.

    Parts of bodies expire after 60 s, a queued request after FAST_PRIORITY_TTL. Idempotent requests are retried.
    """
    assert rig.clock is not None
    at_target, queued = _fill_slots_and_queue(rig)
    rig.clock.jump(seconds)
    new = rig.send_each(_BOTH)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * SLOTS
    ended = seconds > _TTL_SECONDS
    assert [observe(QUEUED, one) for one in queued] == [_ONCE, "502 request-lost, 0 attempts" if ended else _ONCE]
    assert [observe(NEW, one) for one in new] == [_ONCE] * 2


@pytest.mark.parametrize(("fault", "seconds"), [(CLOCK_FORWARD, 5)])
def test_jumps_repeatedly(rig: Rig, observe: Observe, fault: str, seconds: int) -> None:
    """A clock that jumps forward each second, and then back, changes nothing for clients."""
    assert rig.clock is not None
    at_target = rig.send_each(_BOTH, f"/high?mock_latency={_SERVICE_SECONDS}")
    rig.wait_until_at_target(*at_target)
    new = []
    for _ in range(3):
        rig.clock.jump(seconds)
        new += rig.send_each(_BOTH)
        rig.wait_seconds(1)
    rig.clock.jump(-3 * seconds)
    new += rig.send_each(_BOTH)
    assert [observe(AT_TARGET, one) for one in at_target] == [_ONCE] * 2
    assert [observe(NEW, one) for one in new] == [_ONCE] * len(new)


def _fill_slots_and_queue(rig: Rig) -> tuple[list[ClientRequest], list[ClientRequest]]:
    at_target = rig.send_each(_BOTH * (SLOTS // 2), f"/high?mock_latency={_SERVICE_SECONDS}")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(_BOTH)
    rig.wait_until_queued(2)
    return at_target, queued
