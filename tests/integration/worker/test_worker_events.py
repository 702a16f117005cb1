"""The events of a whole PriorityWorker, as a program that starts it gets them."""

import pytest
from redis import Redis
from rq import Queue

from fast_priority.events import SlotEnd, SlotFreed, SlotTaken
from fast_priority.settings import Settings
from fast_priority.worker import PriorityWorker, rq_worker


def test_a_listener_of_a_worker(redis: Redis, redis_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who subscribes to `events` before `work` gets what happens to the slots of the worker."""
    monkeypatch.setattr(rq_worker, "collect_rarely", lambda: None)
    job = Queue("low", connection=redis).enqueue("builtins.print")
    worker = PriorityWorker(["high", "low"], connection=redis, settings=Settings.load(redis_port=redis_port))
    taken: list[SlotTaken] = []
    freed: list[SlotFreed] = []
    worker.events.subscribe(SlotTaken, taken.append)
    worker.events.subscribe(SlotFreed, freed.append)
    worker.work(burst=True)
    assert taken == [SlotTaken(job.id, "low", "")]
    assert [(event.job_id, event.end) for event in freed] == [(job.id, SlotEnd.REFUSED)]
