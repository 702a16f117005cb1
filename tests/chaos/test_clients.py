"""Clients that disconnect: their work is cancelled, and their place is free for others."""

import itertools
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import See
from tests.chaos.failures import AT_TARGET, CLIENT_LEAVES, HALF_WAY, QUEUED, UPLOADING
from tests.chaos.rig import Rig
from tests.harness import wait_until

_BOTH = ("GET", "POST")
# The promise is one second; a busy machine takes longer.
_FREED_SECONDS = 4


@pytest.mark.failure(CLIENT_LEAVES)
def test_leaves_while_queued(rig: Rig, see: See) -> None:
    """A queued request whose client disconnects is removed from the queue and never sent."""
    with rig.workers_frozen():
        asked = rig.ask_each(_BOTH)
        rig.until_queued(2)
        for one in asked:
            one.leave()
        rig.until_queued(0)
    assert [see(QUEUED, one) for one in asked] == ["connection closed, 0 attempts"] * 2


@pytest.mark.failure(CLIENT_LEAVES)
def test_leaves_before_a_response(rig: Rig, see: See) -> None:
    """When the client disconnects, the call to the target is aborted and its slot freed, within a second."""
    asked = rig.ask_each(_BOTH, "/high?mock_latency=60")
    rig.until_at_target(*asked)
    for one in asked:
        one.leave()
    wait_until("the calls are aborted", lambda: rig.in_flight() == 0, _FREED_SECONDS)
    assert [see(AT_TARGET, one) for one in asked] == ["connection closed, 1 attempt"] * 2


@pytest.mark.failure(CLIENT_LEAVES)
def test_leaves_in_the_midst_of_a_response(rig: Rig, see: See) -> None:
    """When the client disconnects during the response, the gateway stops reading it from the target."""
    asked = rig.ask_each(_BOTH, "/high?mock_size=10000000&mock_bandwidth=200000")
    wait_until("responses have begun", lambda: all(one.received_bytes for one in asked))
    for one in asked:
        one.leave()
    wait_until("the calls are aborted", lambda: rig.in_flight() == 0, _FREED_SECONDS)
    assert [see(HALF_WAY, one) for one in asked] == ["200, broken off, 1 attempt"] * 2


@pytest.mark.failure(CLIENT_LEAVES)
def test_leaves_in_the_midst_of_an_upload(rig: Rig, see: See) -> None:
    """When the client disconnects during an upload, the target sees it aborted, never as complete."""
    left = threading.Event()
    asked = rig.upload(lambda: _pieces_until(left))
    rig.until_at_target(asked)
    asked.leave()
    left.set()
    wait_until("the call is aborted", lambda: rig.in_flight() == 0, _FREED_SECONDS)
    assert see(UPLOADING, asked) == "connection closed, 1 attempt"
    assert [arrival["status"] for arrival in rig.arrivals_of(asked)] == [None]


def _pieces_until(left: threading.Event) -> Iterator[bytes]:
    yield b"x" * 100_000
    left.wait(30)
    yield from itertools.repeat(b"x" * 100_000, 1000)
