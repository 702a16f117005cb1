"""Gateways that die or end: nobody's work is done for them, and none of it is lost in an orderly end."""

import signal

import pytest

from tests.chaos.conftest import See
from tests.chaos.failures import AT_TARGET, GATEWAY_KILLED, GATEWAY_TOLD_TO_END, QUEUED
from tests.chaos.rig import SLOTS, Rig
from tests.harness import wait_until


@pytest.mark.failure(GATEWAY_KILLED)
def test_killed_with_requests_under_way(rig: Rig, see: See) -> None:
    """Within 16 s what a dead gateway had at the target is aborted, and what it had queued is skipped, never sent."""
    at_target = rig.ask_each(("GET", "POST") * (SLOTS // 2), "/high?mock_latency=60")
    rig.until_at_target(*at_target)
    queued = rig.ask_each(("GET", "POST"))
    rig.until_queued(2)
    rig.gateway.kill()
    wait_until("its calls to the target are aborted", lambda: rig.in_flight() == 0, 25)
    wait_until("its queued requests are skipped", lambda: rig.queued() == 0)
    rig.start_gateway()
    assert [see(AT_TARGET, one) for one in at_target] == ["connection closed, 1 attempt"] * SLOTS
    assert [see(QUEUED, one) for one in queued] == ["connection closed, 0 attempts"] * 2


@pytest.mark.failure(GATEWAY_TOLD_TO_END)
def test_told_to_end(rig: Rig, see: See) -> None:
    """A gateway that is told to end answers all that it took, the queued as well, and then leaves."""
    at_target = rig.ask_each(("GET", "POST") * (SLOTS // 2), "/high?mock_latency=1.5")
    rig.until_at_target(*at_target)
    queued = rig.ask_each(("GET", "POST"))
    rig.until_queued(2)
    ending = rig.gateway
    ending.send_signal(signal.SIGTERM)
    assert [see(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * SLOTS
    assert [see(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2
    ending.wait(20)
    rig.start_gateway()
