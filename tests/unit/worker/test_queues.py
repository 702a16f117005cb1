"""The queues that workers serve."""

from typing import Any

import pytest
from fakeredis import FakeRedis

from fast_priority.scheduling.priority import DEFAULT_LEVELS
from fast_priority.settings import Settings
from fast_priority.worker import PriorityWorker, PriorityWorkerPool


def test_a_pool_serves_every_level() -> None:
    """The workers of a pool get the queue of each level."""
    pool = PriorityWorkerPool(Settings.load())
    assert set(pool._queue_names) == set(DEFAULT_LEVELS)


@pytest.mark.parametrize("names", [["low"], "high", ["low", "high"], ["emails"], []])
def test_a_worker_serves_all_levels(names: Any) -> None:
    """A worker serves all levels, the most important first, whatever names it is given."""
    worker = PriorityWorker(names, connection=FakeRedis(), settings=Settings.load(levels="high,normal,low"))
    assert worker.queue_names() == ["high", "normal", "low"]


def test_a_worker_shows_the_levels_that_it_has_learned() -> None:
    """Its record, and the names that it leaves rq's registers of, are of the levels that it has found in Redis."""
    worker = PriorityWorker(["low"], connection=FakeRedis(), settings=Settings.load())
    worker._lanes.note(b"high normal low")
    worker.register_birth()  # type: ignore[no-untyped-call]
    assert worker.queue_names() == ["high", "normal", "low"]
    assert worker.serialize()["queues"] == "high,normal,low"


def test_a_worker_that_runs_elsewhere() -> None:
    """What rq's tools make of a record has the names of the record."""
    worker = PriorityWorker(["low"], connection=FakeRedis(), settings=Settings.load(), prepare_for_work=False)
    assert worker.queue_names() == ["low"]
