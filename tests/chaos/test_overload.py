"""Overload: requests that cannot be served are refused with Retry-After."""

import pytest

from tests.chaos.conftest import Observe
from tests.chaos.failures import NEW, NO_WORKER, QUEUE_FULL, QUEUED
from tests.chaos.rig import Rig

_BOTH = ("GET", "POST")
_SMALL = {
    "FAST_PRIORITY_TTL": "3",
    "FAST_PRIORITY_MAX_QUEUED_HIGH": "2",
}


@pytest.mark.allows(refused=True)
@pytest.mark.gateway(**_SMALL)
@pytest.mark.failure(QUEUE_FULL)
def test_queue_full(rig: Rig, observe: Observe) -> None:
    """When the queue is full, a new request is 503 at once with Retry-After; queued ones are served."""
    with rig.workers_frozen():
        queued = rig.send_each(_BOTH)
        rig.wait_until_queued(2)
        new = rig.send_each(_BOTH)
        assert [observe(NEW, one) for one in new] == ["503 queue-full, 0 attempts"] * 2
        assert all(one.result().retry_after for one in new)
    assert [observe(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


@pytest.mark.allows(refused=True)
@pytest.mark.gateway(**_SMALL)
@pytest.mark.failure(NO_WORKER)
def test_no_worker(rig: Rig, observe: Observe) -> None:
    """Without a worker, requests wait for FAST_PRIORITY_TTL (3 s here) and are then 503 with Retry-After."""
    rig.load.end_transfers()
    rig.end_workers()
    queued = rig.send_each(_BOTH)
    assert [observe(QUEUED, one) for one in queued] == ["503 waited-too-long, 0 attempts"] * 2
    assert all(one.result().retry_after for one in queued)
    rig.start_workers()
