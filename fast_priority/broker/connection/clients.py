"""Clients of Redis, with the same options for gateway and worker.

redis-py's own retries are off, because only the caller knows what a lost answer means.
"""

from typing import Any

from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry as SyncRetry
from redis.sentinel import Sentinel as SyncSentinel
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from fast_priority.broker.connection.pool import MasterPool, Pool
from fast_priority.broker.connection.redis_connection import (
    READ_BYTES,
    MasterConnection,
    MasterTlsConnection,
    SocketConnection,
    TcpConnection,
    TlsConnection,
)
from fast_priority.broker.connection.sentinel import Discovery, Sentinels
from fast_priority.errors import ConfigurationError
from fast_priority.settings import RedisAddress, Settings

CONNECT_TIMEOUT_SECONDS = 1.0
ANSWER_TIMEOUT_SECONDS = 2.0
"""A Redis that does not answer within this time is away."""

CONNECTION_ERRORS = (RedisError, OSError)
"""The errors of redis-py when Redis is away."""

_OVER_TLS = (SSLConnection, SentinelManagedSSLConnection)
_BY_SENTINELS = (SentinelManagedConnection, SentinelManagedSSLConnection)
_SUPPORTED = (Connection, UnixDomainSocketConnection, *_OVER_TLS, *_BY_SENTINELS)
_OF_SERVER = ("host", "port", "db", "username", "password")
_OF_TLS = (
    "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_cert_reqs",
    "ssl_check_hostname", "ssl_include_verify_flags", "ssl_exclude_verify_flags", "ssl_min_version", "ssl_ciphers",
)  # fmt: skip
_OF_OCSP = ("ssl_validate_ocsp", "ssl_validate_ocsp_stapled")


def redis_options(settings: Settings) -> dict[str, Any]:
    """Return the options for `connect`: keyword arguments of both redis-py clients, and maybe `sentinels`."""
    address = settings.redis_address
    options: dict[str, Any] = {"db": address.db, "username": address.user, "password": address.password}
    options |= _tls_options(address)
    if address.sentinels:
        to_sentinels = {"username": address.sentinel_user, "password": address.sentinel_password}
        to_sentinels |= _tls_options(address)
        return {**options, "sentinels": Sentinels(address.sentinels, address.sentinel_master, to_sentinels)}
    if address.socket:
        return {**options, "unix_socket_path": address.socket}
    return {**options, "host": address.host, "port": address.port}


def sync_connection(settings: Settings) -> SyncRedis:
    """Return a synchronous client for rq's own code. It connects when it is first used."""
    options = redis_options(settings)
    limits: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "retry": SyncRetry(NoBackoff(), 0),
    }
    sentinels: Sentinels | None = options.pop("sentinels", None)
    if sentinels is None:
        return SyncRedis(**options, **limits)
    to_sentinels = {**sentinels.options, **limits, "socket_timeout": ANSWER_TIMEOUT_SECONDS}
    manager = SyncSentinel(sentinels.hosts, sentinel_kwargs=to_sentinels)  # type: ignore[no-untyped-call]
    master: SyncRedis = manager.master_for(sentinels.master_name, **options, **limits)  # type: ignore[no-untyped-call]
    return master


def options_of(connection: SyncRedis) -> dict[str, Any]:
    """Return the options for `connect` from a connection of rq, so that a worker uses the Redis it was started on.

    Raises ConfigurationError for a connection that asyncio clients cannot copy.
    """
    pool = connection.connection_pool
    kind, known = pool.connection_class, pool.connection_kwargs
    if kind not in _SUPPORTED or any(known.get(name) is True for name in _OF_OCSP):
        raise ConfigurationError(
            "a PriorityWorker connects to Redis over TCP, TLS (without OCSP) or a unix socket, or through Sentinels, "
            f"and does not support {kind.__name__}: use a redis://, rediss:// or unix:// URL, or Sentinels"
        )
    options = _known_of(known, _OF_SERVER)
    if kind in _OVER_TLS:
        options |= {"ssl": True, **_known_of(known, _OF_TLS)}
    if known.get("path"):
        options["unix_socket_path"] = known["path"]
    return options | (_sentinels_of(known["connection_pool"]) if kind in _BY_SENTINELS else {})


def connect(options: dict[str, Any], answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS) -> Redis:
    """Return an asyncio client. It connects when it is first used."""
    options = {
        **options,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": answer_timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": 64,
        "socket_read_size": READ_BYTES,
        # With maintenance notifications, redis-py would use connections that the server has closed.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    sentinels: Sentinels | None = options.pop("sentinels", None)
    over_tls = options.pop("ssl", False)
    pool: Pool
    if sentinels is not None:
        kind = MasterTlsConnection if over_tls else MasterConnection
        pool = MasterPool(  # type: ignore[no-untyped-call]
            sentinels.master_name, Discovery(sentinels), connection_class=kind, **options
        )
    elif "unix_socket_path" in options:
        pool = Pool(SocketConnection, path=options.pop("unix_socket_path"), **options)
    else:
        pool = Pool(TlsConnection if over_tls else TcpConnection, **options)
    return Redis.from_pool(pool)


def _tls_options(address: RedisAddress) -> dict[str, Any]:
    if not address.tls:
        return {}
    files = {"ssl_ca_certs": address.tls_ca, "ssl_certfile": address.tls_cert, "ssl_keyfile": address.tls_key}
    # These are redis-py's defaults. They are written here because neither may ever be off.
    return {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, **files}


def _known_of(options: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: options[name] for name in names if options.get(name) is not None}


def _sentinels_of(pool: Any) -> dict[str, Any]:
    """Return the Sentinels of a pool that redis-py made through Sentinels."""
    if not pool.is_master:
        raise ConfigurationError("a PriorityWorker needs the master of the Sentinels, not a replica")
    manager = pool.sentinel_manager
    addresses = [sentinel.connection_pool.connection_kwargs for sentinel in manager.sentinels]
    hosts = tuple((address["host"], address["port"]) for address in addresses)
    to_sentinels = _known_of(manager.sentinel_kwargs, ("username", "password", "ssl", *_OF_TLS))
    return {"sentinels": Sentinels(hosts, pool.service_name, to_sentinels)}
