"""The settings of Redis, checked together and made one address.

Redis is a server with host and port, with a unix socket or with a URL; or a master whose address Sentinels know.
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
    """Where Redis is, and how to log in. With `sentinels`, `host` and `port` are not used."""

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
        """Return where it is, for a log: without any secret."""
        if self.sentinels:
            named = ", ".join(f"{host}:{port}" for host, port in self.sentinels)
            return f"the master {self.sentinel_master} of {named}"
        return self.socket or f"{self.host}:{self.port}"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Return the address for the settings that are set, by their names without `redis_`.

        Raises ValueError, which names both variables, if two contradict each other, or one needs another.
        """
        given = {name: value for name, value in given.items() if value not in (None, False, ())}
        if "url" in given:
            given = _with_url(given)
        _check_together(given)
        sentinels = tuple(parse_sentinel(text) for text in given.get("sentinels", ()))
        return cls(**{**given, "sentinels": sentinels})


def parse_redis_url(url: str) -> dict[str, Any]:
    """Return what a redis://, rediss:// or unix:// URL has, by the names of RedisAddress.

    Raises ValueError, whose text has no part of the URL: it may have a password.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("it has spaces or control characters")
    parts = _split(url)
    if parts is None or parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("this is not the URL of a Redis")
    found: dict[str, Any] = {"tls": True} if parts.scheme == "rediss" else {}
    found |= {name: unquote(value) for name, value in (("user", parts.username), ("password", parts.password)) if value}
    found |= _database(parts)
    return found | (_socket(parts) if parts.scheme == "unix" else _server(parts))


def parse_sentinel(text: str) -> tuple[str, int]:
    """Return host and port of a Sentinel; the port is 26379 if there is none. Raises ValueError for other text."""
    parts = _split(f"//{text}")
    if parts is None or not parts.hostname or parts.netloc != text or re.search(r"[@\s]|:$", text) or parts.port == 0:
        raise ValueError(f"{text!r} is not a host, or host:port, of a Sentinel")
    return parts.hostname, parts.port or _SENTINEL_PORT


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its text may show a password
        return None
    return parts


def _server(parts: SplitResult) -> dict[str, Any]:
    if not parts.hostname or parts.port == 0:
        raise ValueError("it has no host")
    return {"host": parts.hostname, "port": parts.port or 6379}


def _socket(parts: SplitResult) -> dict[str, Any]:
    if parts.hostname or not parts.path.startswith("/"):
        raise ValueError("a unix:// URL has no host, so three slashes stand before the path of the socket")
    return {"socket": unquote(parts.path)}


def _database(parts: SplitResult) -> dict[str, int]:
    query = parse_qsl(parts.query, keep_blank_values=True)
    path = "" if parts.scheme == "unix" else parts.path.removeprefix("/")
    given = [*([path] if path else []), *(value for name, value in query if name == "db")]
    if len(query) > len([name for name, _ in query if name == "db"]) or parts.fragment:
        raise ValueError("it has a fragment, or a query other than db=; TLS has settings of its own")
    if len(given) > 1 or not all(_DATABASE.fullmatch(text) and int(text) <= _MOST_DATABASES for text in given):
        raise ValueError("after its host there is not the number of one database")
    return {"db": int(given[0])} if given else {}


def _with_url(given: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_beside("url", given, (*_PLACES, "db", "tls", *_OF_SENTINELS))
    found = parse_redis_url(given["url"])
    for name in ("user", "password"):
        if name in found and name in given:
            raise ValueError(
                f"{_variable('url')} has a {name} too: unset {_variable(name)}, or remove the {name} from the URL"
            )
    return {name: value for name, value in given.items() if name != "url"} | found


def _check_together(given: Mapping[str, Any]) -> None:
    if "socket" in given:
        _refuse_beside("socket", given, ("host", "port", "tls", "sentinels"))
    if "sentinels" in given:
        _refuse_beside("sentinels", given, ("host", "port"))
        _need("sentinels", "sentinel_master", given)
    for name in _OF_SENTINELS:
        if name in given:
            _need(name, "sentinels", given)
    for name in _OF_TLS:
        if name in given and "tls" not in given:
            raise ValueError(
                f"{_variable(name)} is not used without TLS: set {_variable('tls')}=on, or use a rediss:// URL"
            )
    if "tls_key" in given:
        _need("tls_key", "tls_cert", given)


def _refuse_beside(name: str, given: Mapping[str, Any], others: Iterable[str]) -> None:
    for other in others:
        if other in given:
            raise ValueError(f"{_variable(name)} and {_variable(other)} cannot both be set: unset one of them")


def _need(name: str, other: str, given: Mapping[str, Any]) -> None:
    if other not in given:
        raise ValueError(f"{_variable(name)} is set and {_variable(other)} is not: set both, or neither")


def _variable(name: str) -> str:
    return f"FAST_PRIORITY_REDIS_{name.upper()}"
