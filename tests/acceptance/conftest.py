"""Stacks for acceptance tests: one that lasts for the run, and fresh ones for tests that break things."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.harness import Stack, running_stack


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
