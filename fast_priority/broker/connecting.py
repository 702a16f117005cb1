"""Connections to Redis, made alike for gateway and worker.

redis-py's own retries are off: each caller knows better than the client what a lost answer means for it.
"""

from collections.abc import Mapping
from typing import Any

from redis import Redis as SyncRedis
from redis.asyncio import Connection as AsyncConnection
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import Connection, UnixDomainSocketConnection
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry as SyncRetry

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings

CONNECT_TIMEOUT_SECONDS = 1.0
_READ_BYTES = 1024 * 1024
ANSWER_TIMEOUT_SECONDS = 2.0
"""A Redis that has not answered by then is away: its clients are told so."""

LOST = (RedisError, OSError)
"""What redis-py raises when Redis is away."""


def redis_options(settings: Settings) -> dict[str, Any]:
    """Give the keyword arguments that both of redis-py's clients take."""
    password = settings.redis_password
    return {
        "host": settings.redis_host,
        "port": settings.redis_port,
        "username": settings.redis_user,
        "password": password.get_secret_value() if password else None,
    }


def sync_connection(settings: Settings) -> SyncRedis:
    """Make the synchronous client that rq's own machinery wants; it connects when first used."""
    return SyncRedis(
        **redis_options(settings), socket_connect_timeout=CONNECT_TIMEOUT_SECONDS, retry=SyncRetry(NoBackoff(), 0)
    )


def options_of(connection: SyncRedis) -> dict[str, Any]:
    """Give the same from a connection that rq was handed, so that a worker stays with the Redis it was started on.

    Raises ConfigurationError for a connection that cannot be made alike: TLS would be lost, and the password sent bare.
    """
    pool = connection.connection_pool
    if pool.connection_class not in (Connection, UnixDomainSocketConnection):
        raise ConfigurationError(
            f"a PriorityWorker speaks to Redis over TCP or a Unix socket, not over {pool.connection_class.__name__}: "
            "give a redis:// or unix:// URL"
        )
    known = pool.connection_kwargs
    names = ("host", "port", "db", "username", "password")
    options = {name: known[name] for name in names if known.get(name) is not None}
    if known.get("path"):
        options["unix_socket_path"] = known["path"]
    return options


def connect(options: dict[str, Any], answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS) -> Redis:
    """Make an asyncio client; it connects when first used."""
    redis = Redis(
        **options,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=answer_timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        max_connections=64,
        # With them, redis-py takes a connection that the server has closed for one that may be used.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    pool = redis.connection_pool
    pool.connection_kwargs["socket_read_size"] = _READ_BYTES
    if pool.connection_class is AsyncConnection:
        pool.connection_class = _ReadingMuchAtOnce
    return redis


class _ReadingMuchAtOnce(AsyncConnection):
    """Takes large answers in few reads; redis-py itself takes 64 KiB each time."""

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "limit": _READ_BYTES}
