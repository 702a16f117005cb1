"""Workers that are killed, frozen or stopped: their requests are retried if idempotent, else answered 502."""

import signal

import pytest

from tests.chaos.asking import Asked
from tests.chaos.conftest import See
from tests.chaos.failures import (
    AT_TARGET,
    CLAIMED,
    HALF_WAY,
    QUEUED,
    WORKER_FROZEN,
    WORKER_KILLED,
    WORKER_TOLD_TO_END,
)
from tests.chaos.link_faults import Hold
from tests.chaos.rig import Rig
from tests.harness import wait_until

# 5 s after the death, with a margin for a busy machine.
_SETTLED_SECONDS = 20
_METHODS = ("GET", "PUT", "DELETE", "POST", "PATCH")
_STREAMED = "/high?mock_size=2000000&mock_bandwidth=100000"


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_while_requests_are_queued(rig: Rig, see: See) -> None:
    """Queued requests of any method are served by the next worker."""
    with rig.workers_frozen():
        asked = rig.ask_each(("GET", "POST"))
        rig.until_queued(2)
        rig.kill_worker()
    assert [see(QUEUED, one) for one in asked] == ["200, 1 attempt"] * 2


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_with_requests_that_it_has_not_sent(rig: Rig, see: See) -> None:
    """Claimed requests that were not sent are resolved in 5 s: retried if idempotent, else answered 502."""
    asked = _claimed_but_unheard(rig)
    rig.kill_worker()
    rig.worker_to_redis.heal()
    assert [see(CLAIMED, one) for one in asked] == ["200, 1 attempt", "502 request-lost, 0 attempts"]
    assert all(one.answer().seconds < _SETTLED_SECONDS for one in asked)


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_with_requests_at_the_target(rig: Rig, see: See) -> None:
    """Within 5 s of the death, idempotent requests are retried once, and others answered 502."""
    rig.target_takes(60)
    asked = rig.ask_each(_METHODS)
    rig.until_at_target(*asked)
    rig.target_takes(0)
    rig.kill_worker()
    again, lost = "200, 2 attempts", "502 request-lost, 1 attempt"
    assert [see(AT_TARGET, one) for one in asked] == [again, again, again, lost, lost]
    assert all(one.answer().seconds < _SETTLED_SECONDS for one in asked)


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_again_in_the_second_attempt(rig: Rig, see: See) -> None:
    """An idempotent request whose second worker dies too is answered 502: there is no third attempt."""
    rig.target_takes(60)
    asked = rig.ask("GET")
    rig.until_at_target(asked)
    rig.kill_worker()
    wait_until("it is at the target again", lambda: rig.attempts(asked) == 2)
    rig.target_takes(0)
    rig.kill_worker()
    assert see(AT_TARGET, asked) == "502 request-lost, 2 attempts"


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_with_responses_half_way(rig: Rig, see: See) -> None:
    """A response that has started is broken off at the client; it is never repeated, never passed as complete."""
    asked = rig.ask_each(("GET", "POST"), _STREAMED)
    wait_until("responses have begun", lambda: all(one.received_bytes for one in asked))
    rig.kill_worker()
    assert [see(HALF_WAY, one) for one in asked] == ["200, broken off, 1 attempt"] * 2


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_FROZEN)
def test_frozen_with_requests_that_it_has_not_sent(rig: Rig, see: See) -> None:
    """A resumed worker sends none of its unsent requests: other workers have resolved them."""
    asked = _claimed_but_unheard(rig)
    with rig.workers_frozen():
        rig.worker_to_redis.heal()
        rig.start_workers()
        seen = [see(CLAIMED, one) for one in asked]
    assert seen == ["200, 1 attempt", "502 request-lost, 0 attempts"]
    _see_the_thawed_worker_carry(rig)
    assert [rig.attempts(one) for one in asked] == [1, 0]


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_FROZEN)
def test_frozen_while_it_waits_for_work(rig: Rig, see: See) -> None:
    """When a worker freezes while it waits for work, other workers serve what Redis hands to it, also a POST."""
    with rig.workers_frozen(while_they_wait=True):
        asked = rig.ask_each(("GET", "POST"))
        rig.start_workers()
        seen = [see(QUEUED, one) for one in asked]
        assert all(one.answer().seconds < _SETTLED_SECONDS for one in asked)
    assert seen == ["200, 1 attempt"] * 2
    _see_the_thawed_worker_carry(rig)
    assert [rig.attempts(one) for one in asked] == [1, 1]


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_FROZEN)
def test_frozen_with_requests_at_the_target(rig: Rig, see: See) -> None:
    """A frozen worker's requests at the target are resolved as a dead one's; its late responses are dropped."""
    asked = rig.ask_each(("GET", "POST"), "/high?mock_latency=2")
    rig.until_at_target(*asked)
    with rig.workers_frozen():
        rig.start_workers()
        seen = [see(AT_TARGET, one) for one in asked]
    assert seen == ["200, 2 attempts", "502 request-lost, 1 attempt"]
    _see_the_thawed_worker_carry(rig)
    assert [rig.attempts(one) for one in asked] == [2, 1]


@pytest.mark.failure(WORKER_TOLD_TO_END)
def test_told_to_end(rig: Rig, see: See) -> None:
    """On SIGTERM, a worker answers its requests, claims no more, and exits; queued ones wait for the next worker."""
    at_target = rig.ask_each(("GET", "POST") * 3, "/high?mock_latency=2")
    rig.until_at_target(*at_target)
    queued = rig.ask_each(("GET", "POST"))
    rig.until_queued(2)
    (pool,) = rig.pools
    pool.send_signal(signal.SIGTERM)
    rig.load.end_transfers()
    assert [see(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * 6
    pool.wait(20)
    assert rig.queued() == 2
    rig.start_workers()
    assert [see(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


def _claimed_but_unheard(rig: Rig) -> list[Asked]:
    """Let a worker claim a GET and a POST while Redis's reply to it is held back."""
    with rig.workers_suspended():
        asked = rig.ask_each(("GET", "POST"))
        rig.until_queued(2)
        rig.worker_to_redis.downstream = Hold(where=lambda piece: b"fast_priority.job.forward" in piece)
    wait_until("both are taken", lambda: rig.started() == 2)
    return asked


def _see_the_thawed_worker_carry(rig: Rig) -> None:
    """Leave only the resumed worker, and send a request: its answer shows that the late work is done."""
    thawed, *others = rig.pools
    for other in others:
        other.terminate()
        other.wait(20)
    assert rig.ask("GET").answer().status == 200
    assert thawed.poll() is None
