"""What the job of a stock rq worker notes in Redis: that our code runs, and what it warns of."""

import pytest

from fast_priority.broker import keys
from fast_priority.broker.consumer import RqConnection
from fast_priority.broker.other_versions import decode_warnings
from fast_priority.protocol.wire_version import WIRE_VERSION
from tests.unit.broker_rig import Rig

JOB, WORKER = keys.job("job"), f"{keys.WORKER_PREFIX}stock"


@pytest.fixture
def stock(rig: Rig) -> RqConnection:
    """The connection of a stock worker that is registered and has a job of wire version 3."""
    rig.redis.hset(JOB, mapping={"status": "started", "gateway": "gateway-1", "wire": 3})
    rig.redis.hset(WORKER, "birth", "now")
    rig.redis.expire(WORKER, 400)
    return RqConnection(rig.redis)


def test_gateway_and_version(stock: RqConnection) -> None:
    """The job's gateway and its wire version are returned."""
    assert stock.begin("job", "stock") == ("gateway-1", 3)


def test_it_notes_that_our_code_runs(rig: Rig, stock: RqConnection) -> None:
    """The job says that it was forwarded, and the record of the worker has our wire version, and its TTL as before."""
    stock.begin("job", "stock")
    assert rig.redis.hget(JOB, "forwarded") == b"1"
    assert rig.redis.hget(WORKER, "wire") == str(WIRE_VERSION).encode()
    assert rig.redis.ttl(WORKER) > 300


def test_a_job_without_gateway_and_version(rig: Rig, stock: RqConnection) -> None:
    """A job of another program has no gateway, and counts as version 1."""
    rig.redis.hdel(JOB, "gateway", "wire")
    assert stock.begin("job", "stock") == ("", 1)


def test_notes_on_what_is_gone_do_not_last(rig: Rig, stock: RqConnection) -> None:
    """Where the job or the record has expired, no note is left for ever."""
    rig.redis.delete(JOB, WORKER)
    assert stock.begin("job", "stock") == ("", 1)
    assert not rig.redis.exists(JOB)
    assert 0 < rig.redis.ttl(WORKER) < 60


def test_each_warning_once_and_not_too_many(rig: Rig, stock: RqConnection) -> None:
    """A warning is new once, though each job is a process of its own, and their number is bounded."""
    assert [stock.note_warning("stock", text) for text in ("a", "b", "a", "b")] == [True, True, False, False]
    for number in range(100):
        stock.note_warning("stock", f"warning {number}")
    found = decode_warnings(rig.redis.hget(WORKER, "warnings"))
    assert (found[:2], len(found)) == (["a", "b"], 10)
