"""Workers that are killed, frozen or stopped: their requests are retried if idempotent, else answered 502."""

import signal

import pytest

from tests.chaos.client_request import ClientRequest
from tests.chaos.conftest import Observe
from tests.chaos.failures import (
    AT_TARGET,
    CLAIMED,
    DURING_RESPONSE,
    QUEUED,
    WORKER_FROZEN,
    WORKER_KILLED,
    WORKER_STOPPED,
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
def test_killed_while_requests_are_queued(rig: Rig, observe: Observe) -> None:
    """Queued requests of any method are served by the next worker."""
    with rig.workers_frozen():
        sent = rig.send_each(("GET", "POST"))
        rig.wait_until_queued(2)
        rig.kill_worker()
    assert [observe(QUEUED, one) for one in sent] == ["200, 1 attempt"] * 2


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_with_unsent_requests(rig: Rig, observe: Observe) -> None:
    """Claimed but unsent requests are retried within 5 s if idempotent, else answered 502."""
    sent = _claimed_but_not_received(rig)
    rig.kill_worker()
    rig.worker_to_redis.heal()
    assert [observe(CLAIMED, one) for one in sent] == ["200, 1 attempt", "502 request-lost, 0 attempts"]
    assert all(one.result().seconds < _SETTLED_SECONDS for one in sent)


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_with_requests_at_the_target(rig: Rig, observe: Observe) -> None:
    """Within 5 s of the death, idempotent requests are retried once, and others answered 502."""
    rig.set_target_latency(60)
    sent = rig.send_each(_METHODS)
    rig.wait_until_at_target(*sent)
    rig.set_target_latency(0)
    rig.kill_worker()
    again, lost = "200, 2 attempts", "502 request-lost, 1 attempt"
    assert [observe(AT_TARGET, one) for one in sent] == [again, again, again, lost, lost]
    assert all(one.result().seconds < _SETTLED_SECONDS for one in sent)


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_again_in_the_second_attempt(rig: Rig, observe: Observe) -> None:
    """An idempotent request whose second worker dies too is answered 502: there is no third attempt."""
    rig.set_target_latency(60)
    sent = rig.send("GET")
    rig.wait_until_at_target(sent)
    rig.kill_worker()
    wait_until("it is at the target again", lambda: rig.attempts(sent) == 2)
    rig.set_target_latency(0)
    rig.kill_worker()
    assert observe(AT_TARGET, sent) == "502 request-lost, 2 attempts"


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_KILLED)
def test_killed_during_responses(rig: Rig, observe: Observe) -> None:
    """A response that has started is broken off at the client; it is never repeated, never passed as complete."""
    sent = rig.send_each(("GET", "POST"), _STREAMED)
    wait_until("responses have begun", lambda: all(one.received_bytes for one in sent))
    rig.kill_worker()
    assert [observe(DURING_RESPONSE, one) for one in sent] == ["200, broken off, 1 attempt"] * 2


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_FROZEN)
def test_frozen_with_unsent_requests(rig: Rig, observe: Observe) -> None:
    """A resumed worker sends none of its unsent requests: they were retried elsewhere or answered 502."""
    sent = _claimed_but_not_received(rig)
    with rig.workers_frozen():
        rig.worker_to_redis.heal()
        rig.start_workers()
        seen = [observe(CLAIMED, one) for one in sent]
    assert seen == ["200, 1 attempt", "502 request-lost, 0 attempts"]
    _finish_with_the_resumed_worker(rig)
    assert [rig.attempts(one) for one in sent] == [1, 0]


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_FROZEN)
def test_frozen_while_it_waits_for_work(rig: Rig, observe: Observe) -> None:
    """When a worker freezes while it waits for work, other workers serve what Redis hands to it, also a POST."""
    with rig.workers_frozen(while_they_wait=True):
        sent = rig.send_each(("GET", "POST"))
        rig.start_workers()
        seen = [observe(QUEUED, one) for one in sent]
        assert all(one.result().seconds < _SETTLED_SECONDS for one in sent)
    assert seen == ["200, 1 attempt"] * 2
    _finish_with_the_resumed_worker(rig)
    assert [rig.attempts(one) for one in sent] == [1, 1]


@pytest.mark.allows(lost=True, broken=True)
@pytest.mark.failure(WORKER_FROZEN)
def test_frozen_with_requests_at_the_target(rig: Rig, observe: Observe) -> None:
    """A frozen worker's requests at the target are retried once or answered 502; its late responses are dropped."""
    sent = rig.send_each(("GET", "POST"), "/high?mock_latency=2")
    rig.wait_until_at_target(*sent)
    with rig.workers_frozen():
        rig.start_workers()
        seen = [observe(AT_TARGET, one) for one in sent]
    assert seen == ["200, 2 attempts", "502 request-lost, 1 attempt"]
    _finish_with_the_resumed_worker(rig)
    assert [rig.attempts(one) for one in sent] == [2, 1]


@pytest.mark.failure(WORKER_STOPPED)
def test_stopped(rig: Rig, observe: Observe) -> None:
    """On SIGTERM, a worker answers its requests, claims no more, and exits; queued ones wait for the next worker."""
    at_target = rig.send_each(("GET", "POST") * 3, "/high?mock_latency=2")
    rig.wait_until_at_target(*at_target)
    queued = rig.send_each(("GET", "POST"))
    rig.wait_until_queued(2)
    (pool,) = rig.pools
    pool.send_signal(signal.SIGTERM)
    rig.load.end_transfers()
    assert [observe(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * 6
    pool.wait(20)
    assert rig.queued() == 2
    rig.start_workers()
    assert [observe(QUEUED, one) for one in queued] == ["200, 1 attempt"] * 2


def _claimed_but_not_received(rig: Rig) -> list[ClientRequest]:
    """Let a worker claim a GET and a POST while Redis's reply to it is held back."""
    with rig.workers_suspended():
        sent = rig.send_each(("GET", "POST"))
        rig.wait_until_queued(2)
        rig.worker_to_redis.downstream = Hold(where=lambda piece: b"fast_priority.job.forward" in piece)
    wait_until("both requests are claimed", lambda: rig.started() == 2)
    return sent


def _finish_with_the_resumed_worker(rig: Rig) -> None:
    """Leave only the resumed worker, and send a request: its answer shows that the late work is done."""
    resumed, *others = rig.pools
    for other in others:
        other.terminate()
        other.wait(20)
    assert rig.send("GET").result().status == 200
    assert resumed.poll() is None
