"""What all unit tests stand on: a directory of their own, and no Redis but a fake one."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from fast_priority.broker.connection import connect
from fast_priority.broker.consumer import Consumer, Leases
from fast_priority.broker.producer import Submitter
from fast_priority.settings import Settings
from mock_target import MockSettings, create_app
from tests.replacing import replaced
from tests.unit.broker_rig import Rig
from tests.unit.mock_target.mock_rig import client_of


@pytest.fixture(autouse=True)
def no_dotenv_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `.env` of the directory that the tests were started in changes nothing; tests may write one of their own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A fake Redis that everything made in the test is connected to."""
    rig = Rig()
    with replaced(connect, rig.connect):
        yield rig
        await rig.let_go()


@pytest.fixture
async def submitter(rig: Rig) -> AsyncIterator[Submitter]:
    """A gateway at the queues, with the default settings."""
    async with Submitter(Settings.load()) as submitter:
        yield submitter
        await rig.let_go()


@pytest.fixture
async def claimer(rig: Rig) -> AsyncIterator[Consumer]:
    """A worker at the queues."""
    claimer = Consumer({}, "worker-1")
    yield claimer
    await claimer.close()


@pytest.fixture
async def leases(rig: Rig) -> AsyncIterator[Leases]:
    """The leases of the worker that `claimer` claims for."""
    leases = Leases({}, "worker-1")
    yield leases
    await leases.close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a mock target that answers at once."""
    async with client_of(create_app(MockSettings(latency="0"))) as client:
        yield client
