"""Fixtures of several integration tests: event loops of both kinds, and a stack behind an embedded gateway."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from fast_priority.support.socket_look import SocketLook
from tests.integration.gateway.embedding_rig import Behind, everything_behind
from tests.integration.target.target_rig import Run


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def run_on_loop(request: pytest.FixtureRequest) -> Iterator[Run]:
    """A function that runs a coroutine: on uvloop, as gateways and workers do, and on asyncio, as stock workers do."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture
def blind_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks of a socket see nothing, as if everything happened just after them."""
    monkeypatch.setattr(SocketLook, "is_quiet", lambda look: True)


@pytest.fixture(scope="session")
def lasting_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A mock target, a worker with four slots and their Redis, which last for the whole run."""
    with everything_behind(tmp_path_factory.mktemp("behind")) as behind:
        yield behind


@pytest.fixture
def behind(lasting_behind: Behind) -> Behind:
    """The same, with nothing in the target's log."""
    lasting_behind.saw()
    return lasting_behind
