"""The address that the settings of Redis make together, and the combinations that are refused."""

import pytest

from fast_priority.settings import RedisAddress
from fast_priority.settings.redis_address import parse_redis_url, parse_sentinel


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://redis", {"host": "redis", "port": 6379}),
        ("redis://redis.example:6380/2", {"host": "redis.example", "port": 6380, "db": 2}),
        ("redis://[::1]:6380/", {"host": "::1", "port": 6380}),
        ("redis://redis?db=2", {"host": "redis", "port": 6379, "db": 2}),
        ("rediss://redis", {"host": "redis", "port": 6379, "tls": True}),
        ("redis://gate:p%40ss@redis", {"host": "redis", "port": 6379, "user": "gate", "password": "p@ss"}),
        ("redis://:hush@redis", {"host": "redis", "port": 6379, "password": "hush"}),
        ("unix:///run/my%20redis.sock?db=3", {"socket": "/run/my redis.sock", "db": 3}),
        ("unix://:hush@/run/redis.sock", {"socket": "/run/redis.sock", "password": "hush"}),
    ],
)
def test_url(url: str, found: dict[str, object]) -> None:
    """A URL has the place of Redis, the database, the login, and whether to use TLS."""
    assert parse_redis_url(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "http://:hush@redis",
        "redis:hush",
        "redis://:hush@",
        "redis://:hush@redis:0",
        "redis://:hush@redis:99999",
        "redis://:hush@redis/one",
        "redis://:hush@redis/-1",
        "redis://:hush@redis/1/2",
        "redis://:hush@redis/1?db=2",
        "redis://:hush@redis/99999999999",
        "redis://:hush@redis?ssl_cert_reqs=none",
        "redis://:hush@redis#hush",
        "redis://:hu sh@redis",
        "redis://[:hush",
        "unix://:hush@redis.sock",
        "unix://:hush@",
        "unix:///run/redis.sock?db=one",
    ],
)
def test_bad_url(url: str) -> None:
    """Any other URL is refused, and the error shows no part of it."""
    with pytest.raises(ValueError) as caught:
        parse_redis_url(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("s1", ("s1", 26379)),
        ("s1:5000", ("s1", 5000)),
        ("[::1]:5000", ("::1", 5000)),
        ("192.0.2.7", ("192.0.2.7", 26379)),
    ],
)
def test_sentinel(text: str, found: tuple[str, int]) -> None:
    """A Sentinel is a host, with a port or at 26379."""
    assert parse_sentinel(text) == found


@pytest.mark.parametrize(
    "text", ["", ":26379", "s1:", "s1:0", "s1:99999", "s1:port", "redis://s1", "user@s1", "s 1", "s1/x"]
)
def test_bad_sentinel(text: str) -> None:
    """Any other text is refused."""
    with pytest.raises(ValueError):
        parse_sentinel(text)


def test_nothing_is_set() -> None:
    """By default, Redis is on this machine at port 6379, with database 0 and without TLS."""
    assert RedisAddress.of({}) == RedisAddress("localhost", 6379, db=0, tls=False)


def test_beside_a_url() -> None:
    """User, password and the TLS files may be set beside a URL that does not have them."""
    given = {"user": "gate", "password": "hush", "tls_ca": "/ca.pem", "url": "rediss://redis"}
    address = RedisAddress.of(given)
    assert (address.user, address.password, address.tls_ca, address.tls) == ("gate", "hush", "/ca.pem", True)


SENTINELS = {"sentinels": ("s1",), "sentinel_master": "mymaster"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"url": "redis://redis", "host": "redis"}, {"URL", "HOST"}),
        ({"url": "redis://redis", "port": 6380}, {"URL", "PORT"}),
        ({"url": "redis://redis/1", "db": 2}, {"URL", "DB"}),
        ({"url": "redis://redis", "socket": "/x"}, {"URL", "SOCKET"}),
        ({"url": "redis://redis", "tls": True}, {"URL", "TLS"}),
        ({"url": "redis://redis", **SENTINELS}, {"URL", "SENTINELS"}),
        ({"url": "redis://u:p@redis", "user": "u"}, {"URL", "USER"}),
        ({"url": "redis://:p@redis", "password": "p"}, {"URL", "PASSWORD"}),
        ({"url": "redis://redis", "tls_ca": "/x"}, {"TLS_CA", "TLS"}),
        ({"socket": "/x", "host": "redis"}, {"SOCKET", "HOST"}),
        ({"socket": "/x", "port": 1}, {"SOCKET", "PORT"}),
        ({"socket": "/x", "tls": True}, {"SOCKET", "TLS"}),
        ({"socket": "/x", **SENTINELS}, {"SOCKET", "SENTINELS"}),
        ({"host": "redis", **SENTINELS}, {"HOST", "SENTINELS"}),
        ({"port": 1, **SENTINELS}, {"PORT", "SENTINELS"}),
        ({"sentinels": ("s1",)}, {"SENTINELS", "SENTINEL_MASTER"}),
        ({"sentinel_master": "m"}, {"SENTINELS", "SENTINEL_MASTER"}),
        ({"sentinel_user": "m"}, {"SENTINELS", "SENTINEL_USER"}),
        ({"sentinel_password": "m"}, {"SENTINELS", "SENTINEL_PASSWORD"}),
        ({"tls_cert": "/x"}, {"TLS_CERT", "TLS"}),
        ({"tls": True, "tls_key": "/x"}, {"TLS_KEY", "TLS_CERT"}),
    ],
)
def test_contradictions(given: dict[str, object], named: set[str]) -> None:
    """Two settings that contradict each other, or one without another that it needs, are refused by name."""
    with pytest.raises(ValueError) as caught:
        RedisAddress.of(given)
    words = str(caught.value).replace("=", " ").replace(":", " ").replace(",", " ").split()
    assert {f"FAST_PRIORITY_REDIS_{name}" for name in named} <= set(words)


def test_no_secret_in_the_repr() -> None:
    """An address that ends up in a log shows no password."""
    given = {**SENTINELS, "password": "hush", "sentinel_password": "hush"}
    assert "hush" not in repr(RedisAddress.of(given))


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "localhost:6379"),
        ({"host": "redis", "port": 6380, "password": "hush", "db": 2}, "redis:6380"),
        ({"socket": "/run/redis.sock"}, "/run/redis.sock"),
        ({"url": "rediss://gate:hush@redis"}, "redis:6379"),
        ({"sentinels": ("one", "two:26380"), "sentinel_master": "main"}, "the master main of one:26379, two:26380"),
    ],
)
def test_in_a_log(given: dict[str, object], where: str) -> None:
    """A log has where Redis is, and no secret."""
    assert str(RedisAddress.of(given)) == where
