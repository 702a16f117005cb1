"""Settings of Redis: where it is, and how to log in. `redis_address` makes one address of them."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, FilePath, SecretStr, field_validator

from fast_priority.settings.field import PORT, SWITCH, TextList, setting, split
from fast_priority.settings.redis_address import RedisAddress, parse_redis_url, parse_sentinel

_PREFIX = "redis_"


class RedisSettings(BaseModel):
    """The Redis that the queues are in."""

    redis_url: SecretStr | None = setting(
        None,
        "Redis URL: host, port, database, user and password in one. User, password and TLS files may be set beside it.",
        "a redis://, rediss:// or unix:// URL, such as rediss://redis.example:6380/0",
    )
    redis_host: str = setting("localhost", "Redis host.", "a host name or address")
    redis_port: int = setting(6379, "Redis port.", PORT, ge=1, le=65_535)
    redis_socket: str | None = setting(
        None, "Path of the unix socket of Redis, instead of host and port.", "the path of a socket"
    )
    redis_db: int = setting(
        0, "Number of the Redis database.", "a whole number from 0 to 2147483647", ge=0, le=2_147_483_647
    )
    redis_user: str | None = setting(None, "Redis user (ACL).", "a user name")
    redis_password: SecretStr | None = setting(None, "Redis password.", "a password")
    redis_tls: bool = setting(
        False,
        "Whether Redis and the Sentinels are reached by TLS. Certificate and host name are always verified.",
        SWITCH,
    )
    redis_tls_ca: FilePath | None = setting(
        None, "File with CA certificates to trust, besides those of the system.", "the path of a PEM file"
    )
    redis_tls_cert: FilePath | None = setting(
        None, "File with the client certificate for Redis.", "the path of a PEM file"
    )
    redis_tls_key: FilePath | None = setting(
        None,
        "File with the key of the client certificate, if it is not in the same file.",
        "the path of a PEM file without a password",
    )
    redis_sentinels: TextList = setting(
        (),
        "Redis Sentinels, which know the address of the master. Instead of host and port.",
        "comma-separated hosts with ports, such as s1:26379,s2:26379",
    )
    redis_sentinel_master: str | None = setting(
        None, "Name of the master at the Sentinels.", "a name, such as mymaster"
    )
    redis_sentinel_user: str | None = setting(None, "User at the Sentinels (ACL).", "a user name")
    redis_sentinel_password: SecretStr | None = setting(None, "Password at the Sentinels.", "a password")

    @field_validator("redis_sentinels", mode="before")
    @classmethod
    def _are_sentinels(cls, value: Any) -> Any:
        written = split(value)
        if isinstance(written, tuple):
            for text in written:
                parse_sentinel(text)
        return written

    @field_validator("redis_host")
    @classmethod
    def _is_no_url(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("this is a URL: set FAST_PRIORITY_REDIS_URL to it instead")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_redis_url(value.get_secret_value())
        return value

    @property
    def names_a_redis(self) -> bool:
        """Whether any of these settings is set."""
        return any(name.startswith(_PREFIX) for name in self.model_fields_set)

    @property
    def redis_address(self) -> RedisAddress:
        """Where Redis is. Raises ValueError if two settings contradict each other."""
        names = [name for name in self.model_fields_set if name.startswith(_PREFIX)]
        return RedisAddress.of({name.removeprefix(_PREFIX): _plain(getattr(self, name)) for name in names})


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value
