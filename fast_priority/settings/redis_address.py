"""Which Redis, and by which way: what the settings say of it, checked together and made one address.

A server by host and port, by unix socket or by URL; or the name of a master that Sentinels know.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_SENTINEL_PORT = 26_379
_MOST_DATABASES = 2**31 - 1
_DATABASE = re.compile(r"[0-9]{1,10}")
_PLACES = ("host", "port", "socket", "sentinels")
_OF_SENTINELS = ("sentinel_master", "sentinel_user", "sentinel_password")
_OF_TLS = ("tls_ca", "tls_cert", "tls_key")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is, and what it takes to be let in. With `sentinels`, `host` and `port` mean nothing."""

    host: str = "localhost"
    port: int = 6379
    socket: str | None = None
    db: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_master: str = ""
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Give where it is, in words for a log."""
        if self.sentinels:
            named = ", ".join(f"{host}:{port}" for host, port in self.sentinels)
            return f"the master {self.sentinel_master} of {named}"
        return self.socket or f"{self.host}:{self.port}"

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """Make one of the settings that were set, by their names without `redis_`.

        Raises ValueError, naming both variables, if two of them contradict each other or one lacks another.
        """
        said = {name: value for name, value in said.items() if value not in (None, False, ())}
        if "url" in said:
            said = _with_url(said)
        _check_together(said)
        sentinels = tuple(parse_sentinel(text) for text in said.get("sentinels", ()))
        return cls(**{**said, "sentinels": sentinels})


def parse_redis_url(url: str) -> dict[str, Any]:
    """Give what a redis://, rediss:// or unix:// URL says, by the names of RedisAddress.

    Raises ValueError without a word of the URL, which may hold a password.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("it has blanks or control characters")
    parts = _split(url)
    if parts is None or parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("this is not the URL of a Redis")
    found: dict[str, Any] = {"tls": True} if parts.scheme == "rediss" else {}
    found |= {name: unquote(value) for name, value in (("user", parts.username), ("password", parts.password)) if value}
    found |= _database(parts)
    return found | (_socket(parts) if parts.scheme == "unix" else _server(parts))


def parse_sentinel(text: str) -> tuple[str, int]:
    """Give host and port of a Sentinel; without a port it is 26379. Raises ValueError if it is neither."""
    parts = _split(f"//{text}")
    if parts is None or not parts.hostname or parts.netloc != text or re.search(r"[@\s]|:$", text) or parts.port == 0:
        raise ValueError(f"{text!r} is not a host, or host:port, of a Sentinel")
    return parts.hostname, parts.port or _SENTINEL_PORT


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # whose text shows what may be a password
        return None
    return parts


def _server(parts: SplitResult) -> dict[str, Any]:
    if not parts.hostname or parts.port == 0:
        raise ValueError("it names no host")
    return {"host": parts.hostname, "port": parts.port or 6379}


def _socket(parts: SplitResult) -> dict[str, Any]:
    if parts.hostname or not parts.path.startswith("/"):
        raise ValueError("a unix:// URL has three slashes before the path of a socket, and no host")
    return {"socket": unquote(parts.path)}


def _database(parts: SplitResult) -> dict[str, int]:
    query = parse_qsl(parts.query, keep_blank_values=True)
    path = "" if parts.scheme == "unix" else parts.path.removeprefix("/")
    said = [*([path] if path else []), *(value for name, value in query if name == "db")]
    if len(query) > len([name for name, _ in query if name == "db"]) or parts.fragment:
        raise ValueError("it has a query other than db=, or a fragment; TLS has settings of its own")
    if len(said) > 1 or not all(_DATABASE.fullmatch(text) and int(text) <= _MOST_DATABASES for text in said):
        raise ValueError("what follows its host is not the number of one database")
    return {"db": int(said[0])} if said else {}


def _with_url(said: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_beside("url", said, (*_PLACES, "db", "tls", *_OF_SENTINELS))
    found = parse_redis_url(said["url"])
    for name in ("user", "password"):
        if name in found and name in said:
            raise ValueError(f"{_variable('url')} has a {name} of its own: unset {_variable(name)}, or take it out")
    return {name: value for name, value in said.items() if name != "url"} | found


def _check_together(said: Mapping[str, Any]) -> None:
    if "socket" in said:
        _refuse_beside("socket", said, ("host", "port", "tls", "sentinels"))
    if "sentinels" in said:
        _refuse_beside("sentinels", said, ("host", "port"))
        _need("sentinels", "sentinel_master", said)
    for name in _OF_SENTINELS:
        if name in said:
            _need(name, "sentinels", said)
    for name in _OF_TLS:
        if name in said and "tls" not in said:
            raise ValueError(f"{_variable(name)} means nothing without {_variable('tls')}=on, or a rediss:// URL")
    if "tls_key" in said:
        _need("tls_key", "tls_cert", said)


def _refuse_beside(name: str, said: Mapping[str, Any], others: Iterable[str]) -> None:
    for other in others:
        if other in said:
            raise ValueError(f"{_variable(name)} and {_variable(other)} cannot both be set: unset one of them")


def _need(name: str, other: str, said: Mapping[str, Any]) -> None:
    if other not in said:
        raise ValueError(f"{_variable(name)} is set and {_variable(other)} is not: set both, or neither")


def _variable(name: str) -> str:
    return f"FAST_PRIORITY_REDIS_{name.upper()}"
