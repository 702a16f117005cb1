"""The key table."""

import re

import pytest
from rq import Queue
from rq.defaults import RQ_KEY_PREFIX
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry

from fast_priority.broker import keys, times
from fast_priority.broker.keys import KEY_TABLE, KeyRow
from fast_priority.scheduling.priority import Priority

each_row = pytest.mark.parametrize("row", KEY_TABLE, ids=lambda row: row.pattern)


@each_row
def test_all_under_one_prefix(row: KeyRow) -> None:
    """Every key begins as rq's keys do, so that a hash tag in RQ_KEY_PREFIX keeps all of them in one slot."""
    assert row.pattern.startswith(f"{RQ_KEY_PREFIX}:")


@each_row
def test_rows_are_complete(row: KeyRow) -> None:
    """Every row shows what the key holds, who writes it and when it is removed."""
    assert row.kind in {"set", "list", "hash", "zset", "stream", "string", "channel"}
    assert row.holds
    assert row.written_by
    assert row.gone


def test_no_two_rows_for_one_key() -> None:
    """No key has two rows."""
    assert len({row.pattern for row in KEY_TABLE}) == len(KEY_TABLE)


@pytest.mark.parametrize(
    "key",
    [
        keys.queue(Priority.HIGH),
        keys.queue(Priority.LOW),
        keys.started("high"),
        keys.failed("low"),
        keys.workers_of("low"),
        keys.job("id"),
        keys.gateway("id"),
        keys.inbox("id"),
        keys.WAKE_UP,
        keys.DEPLOYMENT,
        keys.QUEUES,
        keys.WORKERS,
        keys.WORKER_PREFIX + "name",
    ],
)
def test_every_key_has_its_row(key: str) -> None:
    """Every key that this module makes has a row in the table."""
    patterns = [re.sub(r"<\w+>", ".+", re.escape(row.pattern).replace(r"\<", "<")) for row in KEY_TABLE]
    assert any(re.fullmatch(pattern, key) for pattern in patterns)


@pytest.mark.parametrize(
    ("ours", "rqs"),
    [
        (keys.queue(Priority.HIGH), f"{Queue.redis_queue_namespace_prefix}high"),
        (keys.queue(Priority.LOW), f"{Queue.redis_queue_namespace_prefix}low"),
        (keys.QUEUES, Queue.redis_queues_keys),
        (keys.JOB_PREFIX, Job.redis_job_namespace_prefix),
        (keys.started("low"), StartedJobRegistry.key_template.format("low")),
        (keys.failed("low"), FailedJobRegistry.key_template.format("low")),
    ],
)
def test_rqs_names(ours: str, rqs: str) -> None:
    """rq's tools find keys under rq's own names."""
    assert ours == rqs


def test_the_kinds_of_claims_are_in_the_table() -> None:
    """The row of the last claim names both values that its key ends with."""
    (row,) = (row for row in KEY_TABLE if row.pattern == keys.last_claim("<name>", "<kind>"))
    assert all(f"`{kind}`" in row.holds for kind in (keys.DIRECT_CLAIM, keys.CLAIM_SENT_AHEAD))


def test_lease_is_shorter_than_signs_of_life() -> None:
    """The leases of a dead worker end before the worker itself is forgotten."""
    assert times.LEASE_SECONDS < times.WORKER_TTL_SECONDS
