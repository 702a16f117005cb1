"""A Redis that answers and refuses writes: each way to be so, at a real server."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from fast_priority.broker import keys
from fast_priority.broker.connection import RedisOutage, redis_outage, sync_connection
from fast_priority.broker.monitor import QueueMonitor
from fast_priority.broker.producer import Submitter
from fast_priority.errors import BrokerUnavailable, RequestLost
from fast_priority.local.free_ports import free_port
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from fast_priority.settings import Settings
from fast_priority.worker.rq_worker import PriorityWorker, wait_for_redis
from tests.attempts import ask
from tests.harness import wait_until
from tests.redis_servers import redis_server

Switch = Callable[[Redis, bool], object]
"""Makes a server refuse writes, or take them again."""

PATIENCE_SECONDS = 30


def run(server: Any, *command: str) -> None:
    server.execute_command(*command)


def out_of_memory(server: Redis, refuses: bool) -> None:
    server.config_set("maxmemory", int(refuses))


def without_replicas(server: Redis, refuses: bool) -> None:
    server.config_set("min-replicas-to-write", int(refuses))


def as_replica(server: Redis, refuses: bool) -> None:
    run(server, "REPLICAOF", *(("127.0.0.1", "1") if refuses else ("NO", "ONE")))


def without_disk(server: Redis, refuses: bool) -> None:
    """A directory stands in place of the file, so no snapshot can be saved."""
    place = Path(str(server.config_get("dir")["dir"])) / "dump.rdb"
    if refuses:
        server.config_set("save", "3600 1")
        (place / "inside").mkdir(parents=True)
        server.bgsave()
        wait_until("saving has failed", lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err")
    else:
        (place / "inside").rmdir()
        place.rmdir()
        server.bgsave()
        wait_until("saving has succeeded", lambda: server.info("persistence")["rdb_last_bgsave_status"] == "ok")


def without_scripts(server: Redis, refuses: bool) -> None:
    run(server, "ACL", "SETUSER", "default", "-@scripting" if refuses else "+@all")


def without_write_rights(server: Redis, refuses: bool) -> None:
    run(server, "ACL", "SETUSER", "default", "-@write" if refuses else "+@all")


WAYS = [
    (out_of_memory, "Redis refuses writes: it is out of memory"),
    (without_replicas, "Redis refuses writes: it has too few replicas"),
    (as_replica, "Redis refuses writes: it is a replica"),
    (without_disk, "Redis refuses writes: it cannot save its data on disk"),
    (without_scripts, "Redis refuses commands: its ACL does not allow them"),
    (without_write_rights, "Redis refuses commands: its ACL does not allow them"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server of these tests alone."""
    port = free_port()
    folder = tmp_path_factory.mktemp("refusing")
    with (
        Redis(port=port, decode_responses=True) as look,
        redis_server(folder, "--port", str(port), look=look),
    ):
        yield look


@pytest.fixture
def settings(server: Redis) -> Settings:
    port = server.connection_pool.connection_kwargs["port"]
    return Settings.load(redis_host="127.0.0.1", redis_port=port, ttl=1, poll_interval=0.2)


async def until(what: str, condition: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"it never happened that {what}") from None


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if "trouble with Redis" in line]


@pytest.mark.parametrize(("switch", "words"), WAYS, ids=[switch.__name__ for switch, _ in WAYS])
async def test_every_refusal_is_named(
    server: Redis, settings: Settings, switch: Switch, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of a request and the monitor name the reason, and the log has hardly a line, until it is over."""
    caplog.set_level(logging.INFO)
    outage = RedisOutage(logging.getLogger("test"))
    async with Submitter(settings, outage) as submitter, QueueMonitor(settings, outage) as monitor:
        await until("the monitor has looked", lambda: monitor._last is not None)
        assert monitor.problem is None
        switch(server, True)
        try:
            with pytest.raises((BrokerUnavailable, RequestLost), match=words):
                await ask(submitter, Priority.HIGH, b"call", "a request")
            await monitor.view()
            assert str(monitor.problem).startswith(words)
            failures = outage._log._failures
            await until("several tasks have failed again", lambda: outage._log._failures > failures + 2)
            assert 1 <= len(lines(caplog)) <= 2  # a server that is made a replica may close connections first
        finally:
            switch(server, False)

        async def is_over() -> bool:
            return await monitor.view() is not None and monitor.problem is None

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await is_over():
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("switch", [out_of_memory, without_replicas, as_replica])
async def test_a_look_is_enough(server: Redis, settings: Settings, switch: Switch) -> None:
    """A gateway without any traffic knows by its next look that Redis refuses writes, and still sees the queues."""
    async with QueueMonitor(settings) as monitor:
        switch(server, True)
        try:
            view: Any = await monitor.view()
            assert view.waiting == dict.fromkeys(DEFAULT_LEVELS, 0)
            assert str(monitor.problem).startswith("Redis refuses writes")
        finally:
            switch(server, False)


async def test_a_certain_refusal_is_answered_at_once(server: Redis, settings: Settings) -> None:
    """A write that is refused was not carried out: a request that may not be repeated gets 503, not 502."""
    for switch in (out_of_memory, without_replicas, as_replica, without_scripts):
        async with Submitter(settings) as submitter:
            switch(server, True)
            try:
                with pytest.raises(BrokerUnavailable):
                    await ask(submitter, Priority.HIGH, b"call", "a request", is_idempotent=False)
            finally:
                switch(server, False)


async def test_the_end_is_one_line(
    server: Redis, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Redis takes writes again, the log says so once, at info, with the number of failures."""
    monkeypatch.setattr(redis_outage, "CALM_SECONDS", 2.5)
    caplog.set_level(logging.INFO)
    outage = RedisOutage(logging.getLogger("test"))
    async with Submitter(settings, outage), QueueMonitor(settings, outage):
        without_replicas(server, True)
        await until("tasks have failed", lambda: outage._log._failures > 3)
        without_replicas(server, False)
        await until("it is over", lambda: not outage._log.lasts)
        begin, end = lines(caplog)
    assert "Redis refuses writes" in begin
    assert end.startswith("trouble with Redis: over, after ")
    assert [record.levelno for record in caplog.records if "trouble with" in record.getMessage()] == [
        logging.WARNING,
        logging.INFO,
    ]


async def test_a_policy_that_drops_keys_is_found(
    server: Redis, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway warns in its log, once, of a real server that may drop requests, and knows its version."""
    caplog.set_level(logging.INFO)
    server.config_set("maxmemory", 1_000_000_000)
    server.config_set("maxmemory-policy", "volatile-lru")
    try:
        async with QueueMonitor(settings) as monitor:
            for _ in range(3):
                view: Any = await monitor.view()
    finally:
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", 0)
    assert view.server.policy == "volatile-lru"
    assert view.server.version == server.info("server")["redis_version"]
    assert [line for line in caplog.messages if "maxmemory-policy is volatile-lru" in line] == [view.server.warning]


def test_a_worker_warns_of_a_policy_that_drops_keys(
    server: Redis, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that starts logs the version of a real server, and a policy with which it may drop requests."""
    caplog.set_level(logging.INFO)
    server.config_set("maxmemory", 1_000_000_000)
    server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        worker = PriorityWorker(
            ["high", "low"], name="w", connection=sync_connection(settings), settings=settings, prepare_for_work=False
        )
        worker._log_server()
    finally:
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", 0)
    version, warning = caplog.messages
    assert version == f"Worker w: Redis has version {server.info('server')['redis_version']}"
    assert "maxmemory-policy is allkeys-lru; set it to noeviction" in warning


@pytest.mark.parametrize("switch", [out_of_memory, without_replicas, as_replica, without_write_rights])
def test_a_worker_begins_when_redis_takes_writes(server: Redis, switch: Switch) -> None:
    """A worker waits, with one line in its log, for a Redis that refuses what its registration writes."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            switch(server, False)

    switch(server, True)
    try:
        wait_for_redis(server, wait)
    finally:
        switch(server, False)
    assert len(waits) == 3


def test_a_worker_begins_beside_a_key_of_the_wrong_type(server: Redis) -> None:
    """A key of the wrong type in place of rq's register does not make a worker wait."""
    server.set(keys.QUEUES, "a string")
    try:
        wait_for_redis(server, lambda seconds: pytest.fail("it waits"))
    finally:
        server.delete(keys.QUEUES)


async def test_config_and_info_are_forbidden(server: Redis, settings: Settings) -> None:
    """A server whose user may run neither INFO nor CONFIG has no facts, no warning and no problem."""
    run(server, "ACL", "SETUSER", "few", "on", "nopass", "~*", "+@all", "-info", "-config")
    async with QueueMonitor(settings.model_copy(update={"redis_user": "few"})) as monitor:
        view: Any = await monitor.view()
        assert view.server == (None, None, None)
        assert monitor.problem is None
