"""Clients that disconnect: their work is cancelled, and their place is free for others."""

import itertools
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import Observe
from tests.chaos.failures import AT_TARGET, CLIENT_DISCONNECTS, DURING_RESPONSE, QUEUED, UPLOADING
from tests.chaos.rig import Rig
from tests.harness import wait_until

_BOTH = ("GET", "POST")
# The promise is one second; a busy machine takes longer.
_FREED_SECONDS = 4


@pytest.mark.failure(CLIENT_DISCONNECTS)
def test_disconnects_while_queued(rig: Rig, observe: Observe) -> None:
    """A queued request whose client disconnects is removed from the queue and never sent."""
    with rig.workers_frozen():
        sent = rig.send_each(_BOTH)
        rig.wait_until_queued(2)
        for one in sent:
            one.disconnect()
        rig.wait_until_queued(0)
    assert [observe(QUEUED, one) for one in sent] == ["connection closed, 0 attempts"] * 2


@pytest.mark.failure(CLIENT_DISCONNECTS)
def test_disconnects_before_the_response(rig: Rig, observe: Observe) -> None:
    """When the client disconnects, the call to the target is aborted and its slot freed, within a second."""
    sent = rig.send_each(_BOTH, "/high?mock_latency=60")
    rig.wait_until_at_target(*sent)
    for one in sent:
        one.disconnect()
    wait_until("the calls are aborted", lambda: rig.in_flight() == 0, _FREED_SECONDS)
    assert [observe(AT_TARGET, one) for one in sent] == ["connection closed, 1 attempt"] * 2


@pytest.mark.failure(CLIENT_DISCONNECTS)
def test_disconnects_during_the_response(rig: Rig, observe: Observe) -> None:
    """When the client disconnects during the response, the gateway stops reading it from the target."""
    sent = rig.send_each(_BOTH, "/high?mock_size=10000000&mock_bandwidth=200000")
    wait_until("responses have begun", lambda: all(one.received_bytes for one in sent))
    for one in sent:
        one.disconnect()
    wait_until("the calls are aborted", lambda: rig.in_flight() == 0, _FREED_SECONDS)
    assert [observe(DURING_RESPONSE, one) for one in sent] == ["200, broken off, 1 attempt"] * 2


@pytest.mark.failure(CLIENT_DISCONNECTS)
def test_disconnects_during_the_upload(rig: Rig, observe: Observe) -> None:
    """When the client disconnects during an upload, the target sees it aborted, never as complete."""
    left = threading.Event()
    sent = rig.upload(lambda: _pieces_until(left))
    rig.wait_until_at_target(sent)
    sent.disconnect()
    left.set()
    wait_until("the call is aborted", lambda: rig.in_flight() == 0, _FREED_SECONDS)
    assert observe(UPLOADING, sent) == "connection closed, 1 attempt"
    assert [arrival["status"] for arrival in rig.arrivals_of(sent)] == [None]


def _pieces_until(left: threading.Event) -> Iterator[bytes]:
    yield b"x" * 100_000
    left.wait(30)
    yield from itertools.repeat(b"x" * 100_000, 1000)
