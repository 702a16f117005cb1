"""Counts a scenario's requests apart from those of the load, at the target and in Redis."""

from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis

LOAD_MARKER = "/load-"
"""Part of the path of each request of a load, and of no other request."""


def is_in_flight(row: dict[str, Any]) -> bool:
    """Return whether an arrival at the mock target is a scenario's and unfinished."""
    return row["finished_at"] is None and LOAD_MARKER not in row["path"]


def count_queued(redis: Redis) -> int:
    """Return how many requests of the scenario are on both queues."""
    ids: list[Any] = [each for name in ("high", "low") for each in redis.lrange(f"rq:queue:{name}", 0, -1)]
    return _count(redis, [f"rq:job:{each.decode()}" for each in ids], lambda status, is_of_load: not is_of_load)


def count_started(redis: Redis) -> int:
    """Return how many requests of the scenario are claimed and not finished."""
    return _count(redis, _jobs(redis), lambda status, is_of_load: status == b"started" and not is_of_load)


def count_of_load(redis: Redis) -> int:
    """Return how many requests of the load Redis holds."""
    return _count(redis, _jobs(redis), lambda status, is_of_load: is_of_load)


def is_any_request_left(redis: Redis) -> bool:
    """Return whether Redis holds any request, of scenario or load.

    The tombstone of a withdrawn request (status "recalled") does not count: it expires.
    """
    return _count(redis, _jobs(redis), lambda status, is_of_load: status not in (None, b"recalled")) > 0


def _jobs(redis: Redis) -> list[str]:
    found: list[Any] = redis.keys("rq:job:*")
    return [key.decode() for key in found]


def _count(redis: Redis, jobs: Sequence[str], is_counted: Callable[[bytes | None, bool], bool]) -> int:
    pipeline = redis.pipeline(transaction=False)
    for job in jobs:
        pipeline.hmget(job, "status", "data")
    found: list[list[bytes | None]] = pipeline.execute()
    return sum(is_counted(status, LOAD_MARKER.encode() in (data or b"")) for status, data in found)
