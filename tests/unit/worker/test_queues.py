"""The queues that workers serve."""

import pytest
from fakeredis import FakeRedis

from fast_priority.errors import ConfigurationError
from fast_priority.scheduling.priority import DEFAULT_LEVELS
from fast_priority.settings import Settings
from fast_priority.worker import PriorityWorker, PriorityWorkerPool


def test_a_pool_serves_every_level() -> None:
    """The workers of a pool get the queue of each level."""
    pool = PriorityWorkerPool(Settings.load())
    assert set(pool._queue_names) == {priority.value for priority in DEFAULT_LEVELS}


def test_a_worker_for_one_queue_alone() -> None:
    """It is refused, with the names of all queues."""
    with pytest.raises(ConfigurationError, match="serves the queues high and low together, not low"):
        PriorityWorker(["low"], connection=FakeRedis(), settings=Settings.load())
