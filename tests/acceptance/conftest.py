"""Stacks for acceptance tests: one for the run, fresh ones for tests that break things, and model servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.model_stack import ModelStack, running_models
from tests.harness import Stack, running_stack, wait_until


@pytest.fixture(scope="session")
def lasting_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Gateway, one PriorityWorker process with four slots, mock target; for tests that leave it as it was."""
    from tests.redis_servers import loopback_redis

    with loopback_redis() as port, running_stack(port, tmp_path_factory.mktemp("stack")) as stack:
        stack.start_mock()
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="health/,direct,mock/direct")
        stack.start_workers()
        yield stack


@pytest.fixture
def stack(redis: Redis, redis_port: int, tmp_path: Path) -> Iterator[Stack]:
    """A stack on an empty Redis, of which no process has been started."""
    with running_stack(redis_port, tmp_path) as fresh:
        yield fresh


@pytest.fixture(scope="module", params=["gateway", "worker"])
def started_models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelStack]:
    """A model server behind a slot in the gateway, and then behind a worker."""
    with running_models(request.param, tmp_path_factory.mktemp("models")) as models:
        yield models


@pytest.fixture
def model(started_models: ModelStack) -> Iterator[ModelStack]:
    """The model server of this module, as if it had just started."""
    started_models.reset()
    yield started_models
    wait_until("nothing is at the model server", lambda: started_models.stack.in_flight() == 0)
