"""A target that refuses, resets, hangs or truncates: the client gets an error that names it, and the slot is freed."""

import pytest

from tests.chaos.conftest import Observe
from tests.chaos.failures import (
    AT_TARGET,
    DURING_RESPONSE,
    NEW,
    TARGET_CLOSES_IDLE,
    TARGET_HANGS,
    TARGET_REFUSES,
    TARGET_RESETS,
    TARGET_TRUNCATES,
)
from tests.chaos.link_faults import HalfCloseAfter, ResetAfter, Swallow
from tests.chaos.rig import Rig
from tests.harness import wait_until

_BOTH = ("GET", "POST")
# Answers that the load may get while the target's connections fail.
_TARGET_ERRORS = frozenset({"502 target-refused", "502 target-closed", "502 response-incomplete", "504 target-timeout"})


@pytest.mark.allows(broken=True, also=_TARGET_ERRORS)
@pytest.mark.failure(TARGET_REFUSES)
def test_refuses(rig: Rig, observe: Observe) -> None:
    """When the target refuses connections, the client gets 502 target-refused at once."""
    rig.to_target.refuse()
    rig.to_target.reset()
    sent = rig.send_each(_BOTH)
    assert [observe(NEW, one) for one in sent] == ["502 target-refused, 0 attempts"] * 2
    rig.to_target.heal()


@pytest.mark.failure(TARGET_RESETS)
def test_resets_before_a_response(rig: Rig, observe: Observe) -> None:
    """A reset before any response is a 502 at once; a POST is never resent, a GET at most once."""
    get, post = rig.send_each(_BOTH, "/high?mock_fault=reset")
    assert observe(AT_TARGET, get) in ("502 target-closed, 1 attempt", "502 target-closed, 2 attempts")
    assert observe(AT_TARGET, post) == "502 target-closed, 1 attempt"


@pytest.mark.allows(broken=True, also=_TARGET_ERRORS)
@pytest.mark.failure(TARGET_RESETS)
def test_resets_during_the_response(rig: Rig, observe: Observe) -> None:
    """When the target resets the connection during a response, the client's response is broken off too."""
    sent = rig.send_each(_BOTH, "/high?mock_size=2000000&mock_bandwidth=100000")
    wait_until("responses have begun", lambda: all(one.received_bytes for one in sent))
    rig.to_target.downstream = ResetAfter(10_000)
    assert [observe(DURING_RESPONSE, one) for one in sent] == ["200, broken off, 1 attempt"] * 2
    rig.to_target.heal()


@pytest.mark.allows(broken=True, also=_TARGET_ERRORS)  # the long transfers of the load are not idle
@pytest.mark.failure(TARGET_CLOSES_IDLE)
def test_resets_idle_connections(rig: Rig, observe: Observe) -> None:
    """An idle connection that the target closed is not used: also a POST is sent once, on another connection."""
    for _ in range(3):
        before = rig.send_each(_BOTH)
        assert [one.result().status for one in before] == [200, 200]
        rig.to_target.reset()
        sent = rig.send_each(_BOTH)
        assert [observe(NEW, one) for one in sent] == ["200, 1 attempt"] * 2


@pytest.mark.gateway(FAST_PRIORITY_TIMEOUT="4")
@pytest.mark.failure(TARGET_HANGS)
def test_hangs(rig: Rig, observe: Observe) -> None:
    """A target that sends nothing for FAST_PRIORITY_TIMEOUT (4 s here) is a 504; its connection is closed."""
    sent = rig.send_each(_BOTH, "/high?mock_fault=hang")
    assert [observe(AT_TARGET, one) for one in sent] == ["504 target-timeout, 1 attempt"] * 2
    wait_until("the target has seen both calls close", lambda: rig.in_flight() == 0)


@pytest.mark.allows(broken=True, also=_TARGET_ERRORS)
@pytest.mark.gateway(FAST_PRIORITY_TIMEOUT="4")
@pytest.mark.failure(TARGET_HANGS)
def test_is_a_blackhole(rig: Rig, observe: Observe) -> None:
    """A link to the target that loses all bytes is a 504 after FAST_PRIORITY_TIMEOUT (4 s here)."""
    rig.to_target.inject(Swallow())
    sent = rig.send_each(_BOTH)
    assert [observe(NEW, one) for one in sent] == ["504 target-timeout, 0 attempts"] * 2
    rig.to_target.heal()


@pytest.mark.failure(TARGET_TRUNCATES)
def test_truncates_a_small_response(rig: Rig, observe: Observe) -> None:
    """A small response that ends early is a 502: none of it is forwarded."""
    sent = rig.send_each(_BOTH, "/high?mock_fault=truncate&mock_size=1000")
    assert [observe(AT_TARGET, one) for one in sent] == ["502 response-incomplete, 1 attempt"] * 2


@pytest.mark.allows(broken=True, also=_TARGET_ERRORS)
@pytest.mark.failure(TARGET_TRUNCATES)
def test_truncates_a_large_response(rig: Rig, observe: Observe) -> None:
    """A response that ends early after its start was forwarded is broken off at the client."""
    sent = rig.send_each(_BOTH, "/high?mock_size=2000000&mock_bandwidth=200000")
    wait_until("responses have begun", lambda: all(one.received_bytes for one in sent))
    rig.to_target.downstream = HalfCloseAfter(10_000)
    assert [observe(DURING_RESPONSE, one) for one in sent] == ["200, broken off, 1 attempt"] * 2
    rig.to_target.heal()
