"""Fixtures for what must be true on every event loop."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from fast_priority.socket_look import SocketLook
from tests.integration.target_rig import Run


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def run_on_loop(request: pytest.FixtureRequest) -> Iterator[Run]:
    """What runs a coroutine: on uvloop, as gateways and workers do, and on asyncio's own, as stock workers do."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture
def blind_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at sockets see nothing, as if all happened just after them."""
    monkeypatch.setattr(SocketLook, "is_quiet", lambda look: True)
