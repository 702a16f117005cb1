"""Connections to Redis: to which server they lead, and that none stays with a server that refuses writes."""

import asyncio
import socket
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.connection import AbstractConnection
from redis.connection import Connection, ConnectionPool
from redis.sentinel import Sentinel

from fast_priority.broker.connection import (
    CONNECTION_ERRORS,
    connect,
    options_of,
    redis_options,
    send_together,
    sync_connection,
)
from fast_priority.broker.connection.sentinel import DISCOVERY_SECONDS, Discovery, Sentinels
from fast_priority.errors import ConfigurationError
from fast_priority.local.free_ports import free_port
from fast_priority.settings import Settings
from tests.harness import without_collector
from tests.redis_servers import loopback_redis

_GENEROUS_SECONDS = 5.0


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A server that a test may change in any way."""
    with loopback_redis() as port, Redis(port=port) as client:
        yield client


def port_of(redis: Redis) -> int:
    port: int = redis.connection_pool.connection_kwargs["port"]
    return port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[AsyncRedis]:
    redis = connect({"host": "127.0.0.1", "port": port})
    try:
        yield redis
    finally:
        await redis.aclose()


async def until_something_has_come(connection: AbstractConnection) -> None:
    async with asyncio.timeout(_GENEROUS_SECONDS):
        while not await connection.can_read():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "write",
    [("SET", "key", "value"), ("EVAL", "return redis.call('SET', KEYS[1], 'value')", 1, "key")],
    ids=["a command", "a script"],
)
async def test_a_replica_is_left(own_redis: Redis, write: tuple[str | int, ...]) -> None:
    """A server that has become a replica counts as lost, and the next commands use a new connection."""
    async with connected(port_of(own_redis)) as redis:
        before = await redis.client_id()
        own_redis.replicaof("127.0.0.1", free_port())
        with pytest.raises(CONNECTION_ERRORS):
            await redis.execute_command(*write)  # type: ignore[no-untyped-call]
        own_redis.replicaof("NO", "ONE")
        await redis.execute_command(*write)  # type: ignore[no-untyped-call]
        assert await redis.client_id() > before


async def test_a_closed_connection_is_replaced(own_redis: Redis) -> None:
    """Instead of a connection that the server has closed, the pool lends a new one."""
    async with connected(port_of(own_redis)) as redis:
        (before,) = await send_together(redis, [("CLIENT", "ID")])
        own_redis.client_kill_filter(_id=before)
        await until_something_has_come(redis.connection_pool._available_connections[-1])
        (after,) = await send_together(redis, [("CLIENT", "ID")])
        assert after > before


async def test_an_unread_answer_is_discarded(own_redis: Redis) -> None:
    """A connection that comes back with an unread answer is not lent again as it is."""
    async with connected(port_of(own_redis)) as redis:
        pool = redis.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        await connection.send_command("ECHO", "another's")
        await until_something_has_come(connection)
        await pool.release(connection)
        assert await send_together(redis, [("ECHO", "mine")]) == [b"mine"]


async def test_a_replica_is_left_within_a_round_trip(own_redis: Redis) -> None:
    """One refused write of a round trip is enough, and no answer is read as that to another command."""
    async with connected(port_of(own_redis)) as redis:
        own_redis.set("key", "before")
        own_redis.replicaof("127.0.0.1", free_port())
        pipeline = redis.pipeline(transaction=False)
        for command in (("GET", "key"), ("SET", "key", "after"), ("GET", "key")):
            pipeline.execute_command(*command)
        with pytest.raises(CONNECTION_ERRORS):
            await pipeline.execute(raise_on_error=False)
        own_redis.replicaof("NO", "ONE")
        assert await redis.get("key") == b"before"


async def test_a_round_trip_that_takes_too_long_is_lost(own_redis: Redis) -> None:
    """A round trip that takes too long is lost, and its late answer is not read as that to the next command."""
    own_redis.set("key", "value")
    redis = connect({"host": "127.0.0.1", "port": port_of(own_redis)}, answer_timeout_seconds=0.2)
    try:
        with pytest.raises(CONNECTION_ERRORS):
            await send_together(redis, [("BLPOP", "list", 60), ("INCR", "number")])
        own_redis.rpush("list", "late")
        assert await send_together(redis, [("GET", "key")]) == [b"value"]
    finally:
        await redis.aclose()


@pytest.mark.parametrize("is_connected", [False, True], ids=["while connecting", "while sending"])
async def test_a_connection_that_is_closed_as_it_is_used(
    own_redis: Redis, monkeypatch: pytest.MonkeyPatch, is_connected: bool
) -> None:
    """The error of uvloop about a closed transport is a lost connection, and the next one is new."""

    def closed(*_: object) -> None:
        raise RuntimeError("unable to perform operation on it; the handler is closed")

    async with connected(port_of(own_redis)) as redis:
        if is_connected:
            await redis.set("key", "value")
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.StreamWriter, "writelines", closed)
            with pytest.raises(CONNECTION_ERRORS, match="was closed"):
                await send_together(redis, [("SET", "key", "other")])
        assert await send_together(redis, [("SET", "key", "last"), ("GET", "key")]) == [b"OK", b"last"]


async def test_an_error_of_another_kind_keeps_the_connection(own_redis: Redis) -> None:
    """Any other error of Redis is raised as it is, and the connection stays."""
    async with connected(port_of(own_redis)) as redis:
        before = await redis.client_id()
        await redis.set("key", "READONLY")
        with pytest.raises(CONNECTION_ERRORS, match="not an integer"):
            await redis.incr("key")
        assert await redis.client_id() == before


async def test_a_refusal_leaves_no_reference_cycle(own_redis: Redis) -> None:
    """The error of a refused command is freed with its last user, without the garbage collector."""
    own_redis.set("key", "text")
    async with connected(port_of(own_redis)) as redis:
        with without_collector():
            (refusal,) = await send_together(redis, [("LPUSH", "key", "value")])
            known = weakref.ref(refusal)
            del refusal
            assert known() is None


@pytest.fixture
def silent_ports() -> Iterator[list[int]]:
    """Ports that accept connections and never answer."""
    with ExitStack() as parts:
        listeners = [parts.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(5)]
        yield [listener.getsockname()[1] for listener in listeners]


async def test_silent_sentinels_are_given_up_together(silent_ports: list[int]) -> None:
    """However many Sentinels are silent, the question for the master fails within a second."""
    hosts = tuple(("127.0.0.1", port) for port in silent_ports)
    began = time.monotonic()
    with pytest.raises(CONNECTION_ERRORS, match="no Sentinel knows a live master 'mymaster'"):
        await Discovery(Sentinels(hosts, "mymaster", {})).discover_master("mymaster")
    assert time.monotonic() - began < DISCOVERY_SECONDS + _GENEROUS_SECONDS / 2


async def test_a_server_that_is_not_a_sentinel(own_redis: Redis) -> None:
    """A server that is not a Sentinel counts as one that does not know the master, and the error names it."""
    host = "127.0.0.1", port_of(own_redis)
    with pytest.raises(CONNECTION_ERRORS, match=f"{host[0]}:{host[1]}"):
        await Discovery(Sentinels((host,), "mymaster", {})).discover_master("mymaster")


@pytest.mark.parametrize(
    "settings",
    [
        {"redis_host": "redis", "redis_port": 6380, "redis_db": 2, "redis_user": "gate", "redis_password": "hush"},
        {"redis_url": "rediss://gate:hush@redis/2"},
        {"redis_socket": "/run/redis.sock", "redis_db": 2},
        {"redis_sentinels": ("s1", "s2"), "redis_sentinel_master": "m", "redis_db": 2, "redis_password": "hush"},
        {"redis_sentinels": ("s1",), "redis_sentinel_master": "m", "redis_tls": True, "redis_sentinel_password": "p"},
    ],
    ids=["host", "url by TLS", "socket", "Sentinels", "Sentinels by TLS"],
)
def test_a_worker_stays_with_the_redis_it_was_started_on(settings: dict[str, object]) -> None:
    """A connection of rq leads to the same options as the settings that it was made from."""
    loaded = Settings.load(**settings)

    def given(options: dict[str, object]) -> dict[str, object]:
        found = {name: value for name, value in options.items() if value is not None and (name, value) != ("db", 0)}
        sentinels = found.get("sentinels")
        if isinstance(sentinels, Sentinels):
            found["sentinels"] = (sentinels.hosts, sentinels.master_name, given(sentinels.options))
        return found

    connection = sync_connection(loaded)
    assert given(options_of(connection)) == given(redis_options(loaded))
    connection.close()


class _Foreign(Connection):
    """A connection of an unknown kind."""


def test_an_unknown_kind_of_connection_is_refused() -> None:
    """An unknown kind of connection is refused, and not replaced by one with fewer options."""
    pool = ConnectionPool(connection_class=_Foreign)
    with pytest.raises(ConfigurationError, match="_Foreign"):
        options_of(Redis.from_pool(pool))


def test_ocsp_is_refused() -> None:
    """An OCSP check, which only synchronous connections of redis-py have, is not silently dropped."""
    with pytest.raises(ConfigurationError, match="OCSP"):
        options_of(Redis(ssl=True, ssl_validate_ocsp=True))


def test_a_replica_by_sentinels_is_refused() -> None:
    """A worker is refused on a connection to a replica."""
    sentinel = Sentinel([("127.0.0.1", free_port())])  # type: ignore[no-untyped-call]
    with pytest.raises(ConfigurationError, match="not a replica"):
        options_of(sentinel.slave_for("mymaster"))  # type: ignore[no-untyped-call]
