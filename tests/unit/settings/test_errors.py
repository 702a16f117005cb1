"""Bad values: one line that names the variable, the value and what it takes, and never a secret."""

from pathlib import Path

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, origins


def refusal(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> str:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    return str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text", "takes"),
    [
        ("TARGET_BASE_URL", "api.example", "an http:// or https:// URL with a host"),
        ("TARGET_BASE_URL", "ftp://api.example", "an http:// or https:// URL with a host"),
        ("TARGET_BASE_URL", "http://", "an http:// or https:// URL with a host"),
        ("TARGET_BASE_URL", "http://api:99999", "an http:// or https:// URL with a host"),
        ("TARGET_BASE_URL", "http://api:0", "an http:// or https:// URL with a host"),
        ("TARGET_BASE_URL", "http://a pi", "an http:// or https:// URL with a host"),
        ("TARGET_BASE_URL", "http://[::1", "an http:// or https:// URL with a host"),
        ("TARGET_BASE_URL", "http://api/#x", "an http:// or https:// URL with a host"),
        ("TARGET_PROBE_PATH", "http://api/health", "the path of an endpoint of the target"),
        ("TARGET_PROBE_PATH", "/health?deep", "the path of an endpoint of the target"),
        ("TARGET_PROBE_PATH", "/he alth", "the path of an endpoint of the target"),
        ("TARGET_PROBE_PATH", "/../admin", "the path of an endpoint of the target"),
        ("TARGET_PROBE_PATH", "/%2e%2e/admin", "the path of an endpoint of the target"),
        ("HIGH_PRIO_PATHS", "some", "listed or unlisted"),
        ("PATH_CASE", "any", "exact or ignore"),
        ("PATH_CASE", "listed", "exact or ignore"),
        ("NORMALIZE_PATHS", "maybe", "1, true, yes or on; 0, false, no or off"),
        ("POLL_INTERVAL", "often", "a number of seconds from 0.05 to 60"),
        ("POLL_INTERVAL", "nan", "a number of seconds from 0.05 to 60"),
        ("POLL_INTERVAL", "1s", "a number of seconds from 0.05 to 60"),
        ("TTL", "0", "a whole number of seconds from 1 to 604800"),
        ("TTL", "1.5", "a whole number of seconds from 1 to 604800"),
        ("TTL", "604801", "a whole number of seconds from 1 to 604800"),
        ("TIMEOUT", "-1", "a number of seconds from 0.1 to 86400"),
        ("CLIENT_TIMEOUT", "0", "a number of seconds from 0.1 to 86400"),
        ("WEBSOCKETS", "some", "1, true, yes or on; 0, false, no or off"),
        ("ACCESS_LOG", "some", "on, off, or a number of seconds from 0.001 to 86400"),
        ("ACCESS_LOG", "0", "on, off, or a number of seconds from 0.001 to 86400"),
        ("ACCESS_LOG", "nan", "on, off, or a number of seconds from 0.001 to 86400"),
        ("ACCESS_LOG", "1e9", "on, off, or a number of seconds from 0.001 to 86400"),
        ("SERVER_TIMING", "some", "1, true, yes or on; 0, false, no or off"),
        ("MAX_TUNNELS", "0", "a whole number from 1 to 1000000"),
        ("CONNECT_TIMEOUT", "301", "a number of seconds from 0.1 to 300"),
        ("MAX_BODY", "16M", "a whole number of bytes from 1024 to 1125899906842624"),
        ("MAX_CONNECTIONS", "-1", "a whole number from 1 to 1000000, or 0 for no limit"),
        ("HEAD_TIMEOUT", "0", "a number of seconds from 0.1 to 86400"),
        ("KEEP_ALIVE", "0", "a number of seconds from 0.1 to 86400"),
        ("DRAIN_TIMEOUT", "-1", "a number of seconds from 0.1 to 604800"),
        ("DRAIN_DELAY", "301", "a number of seconds from 0 to 300"),
        ("LEVELS", "high", "2 to 8 names with commas between them, high before low among them"),
        ("LEVELS", "low,high", "2 to 8 names with commas between them, high before low among them"),
        ("LEVELS", "high,Normal,low", "2 to 8 names with commas between them, high before low among them"),
        ("LEVELS", "a,b,c,d,e,f,g,high,low", "2 to 8 names with commas between them, high before low among them"),
        ("POLICY_CHANGE", "yes please", "1, true, yes or on; 0, false, no or off"),
        ("MAX_QUEUED_HIGH", "0", "a whole number from 1 to 1000000"),
        ("MAX_QUEUED_LOW", "1000001", "a whole number from 1 to 1000000"),
        ("POLICY_FILE", "/not/there", "the path of a TOML file with rules"),
        ("KEYS_FILE", "/", "the path of a TOML file that has what `fast-priority key NAME` prints"),
        ("TARGET_TLS_CA", "/not/there", "the path of a PEM file"),
        ("TARGET_TLS_CERT", "/not/there", "the path of a PEM file"),
        ("TARGET_TLS_KEY", "/", "the path of a PEM file without a password"),
        ("REDIS_HOST", "redis://redis.example", "a host name or address"),
        ("REDIS_HOST", "tcp://10.0.0.1:6379", "a host name or address"),
        ("REDIS_PORT", "65536", "a port from 1 to 65535"),
        ("REDIS_PORT", "redis", "a port from 1 to 65535"),
        ("REDIS_DB", "-1", "a whole number from 0 to 2147483647"),
        ("REDIS_TLS", "maybe", "1, true, yes or on; 0, false, no or off"),
        ("REDIS_TLS_CA", "/not/there", "the path of a PEM file"),
        ("REDIS_SENTINELS", "s1:port", "comma-separated hosts with ports"),
        ("PORT", "-1", "a port from 1 to 65535"),
        ("DOC_PATH", "/", "a path"),
        ("REDOC_PATH", "/re doc", "a path"),
        ("HEALTH_PATH", "/health?deep", "a path"),
        ("WORKERS", "0", "a whole number from 1 to 512"),
        ("WORKER_CONCURRENCY", "0", "a whole number from 1 to 1024"),
        ("SLOTS", "-1", "a whole number from 0 to 1024"),
        ("SLOTS", "four", "a whole number from 0 to 1024"),
        ("TRUSTED_PROXIES", "proxy.example", "comma-separated addresses and CIDR networks"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "comma-separated addresses and CIDR networks"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/33", "comma-separated addresses and CIDR networks"),
        ("CORS_ORIGINS", "*", "comma-separated origins"),
        ("CORS_ORIGINS", "https://app.example/", "comma-separated origins"),
        ("HOST", "127.0.0.1:8000", "addresses of this machine with commas"),
        ("TRUSTED_PROXIES", "*", "comma-separated addresses and CIDR networks"),
    ],
)
def test_one_line(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, takes: str) -> None:
    """The error is one line with the variable, the value and what the variable takes."""
    error = refusal(monkeypatch, f"FAST_PRIORITY_{variable}", text)
    assert "\n" not in error
    assert error.startswith(f"FAST_PRIORITY_{variable}={text!r} cannot be used")
    assert f"set it to {takes}" in error


@pytest.mark.parametrize("token", ["two words", "käse", "a,b", "=a", "a\nb"])
def test_a_token_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """What no client can send in Authorization is refused, and not shown."""
    error = refusal(monkeypatch, "FAST_PRIORITY_OPERATOR_TOKEN", token)
    assert error.startswith("FAST_PRIORITY_OPERATOR_TOKEN='***' cannot be used")
    assert error.endswith("set it to a token of letters, digits and -._~+/=")
    assert token not in error


def test_value_with_a_line_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that spans lines does not make the error span lines."""
    assert "\n" not in refusal(monkeypatch, "FAST_PRIORITY_TTL", "1\n2")


def test_line_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bad values are two lines, so that both can be corrected together."""
    monkeypatch.setenv("FAST_PRIORITY_PORT", "x")
    lines = refusal(monkeypatch, "FAST_PRIORITY_TTL", "y").splitlines()
    assert sorted(line.partition("=")[0] for line in lines) == ["FAST_PRIORITY_PORT", "FAST_PRIORITY_TTL"]


def test_missing_target() -> None:
    """The error for a missing FAST_PRIORITY_TARGET_BASE_URL is one line with an example of a value."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load().target_policy()
    assert str(caught.value).startswith("FAST_PRIORITY_TARGET_BASE_URL is not set")
    assert "http://" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_target_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty FAST_PRIORITY_TARGET_BASE_URL, as Compose passes on what is not set, counts as not set."""
    monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", "")
    assert Settings.load().target_base_url is None


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DOC_PATH", "/gateway_redoc"),
        ("REDOC_PATH", "gateway_health/"),
        ("HEALTH_PATH", "/gateway_openapi.json"),
    ],
)
def test_own_endpoints_collide(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """Two of the gateway's own endpoints at one path are refused, and the variables named."""
    error = refusal(monkeypatch, f"FAST_PRIORITY_{variable}", text)
    assert f"FAST_PRIORITY_{variable}" in error
    assert "must differ" in error


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush@api",
        "ftp://user:hush@api",
        "http://user:pass@hush@api",
        "http://user:pass/hush@api",
        "user:hush@api",
    ],
)
def test_password_in_url_is_not_echoed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A base URL with a password in it is refused, and no part of the password is shown."""
    assert "hush" not in refusal(monkeypatch, "FAST_PRIORITY_TARGET_BASE_URL", url)


def test_redis_password_is_not_echoed() -> None:
    """An unusable Redis password is refused without being shown."""
    with pytest.raises(ConfigurationError, match="FAST_PRIORITY_REDIS_PASSWORD") as caught:
        Settings.load(redis_password=4711)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://:hush@redis", "redis://redis:hush", "redis://redis?password=hush"])
def test_redis_url_is_not_echoed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An unusable URL of Redis is refused without being shown, for any of it may be a secret."""
    error = refusal(monkeypatch, "FAST_PRIORITY_REDIS_URL", url)
    assert error.startswith("FAST_PRIORITY_REDIS_URL='***' cannot be used")
    assert "hush" not in error


def test_two_ways_to_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways to Redis at once are refused in one line, which names both variables and shows no secret."""
    monkeypatch.setenv("FAST_PRIORITY_REDIS_HOST", "redis")
    error = refusal(monkeypatch, "FAST_PRIORITY_REDIS_URL", "redis://:hush@redis")
    assert error == ("FAST_PRIORITY_REDIS_URL and FAST_PRIORITY_REDIS_HOST cannot both be set: unset one of them")


@pytest.mark.parametrize(
    ("present", "missing"), [("CERT", "TARGET_TLS_KEY"), ("KEY", "TARGET_TLS_CERT"), ("CA", "TARGET_BASE_URL")]
)
def test_tls_files_that_do_not_go_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, present: str, missing: str
) -> None:
    """A certificate without its key, and a file for a target without TLS, are one line that names both variables."""
    (tmp_path / "file.pem").touch()
    monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", "http://api")
    error = refusal(monkeypatch, f"FAST_PRIORITY_TARGET_TLS_{present}", str(tmp_path / "file.pem"))
    assert error.startswith(f"FAST_PRIORITY_TARGET_TLS_{present} is ")
    assert f"FAST_PRIORITY_{missing}" in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PASSWORD", "hush"),
        ("URL", "redis://gate:hush@redis"),
        ("SENTINEL_PASSWORD", "hush"),
    ],
)
def test_no_secret_in_the_repr(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """Settings that end up in a log, or in `fast-priority config`, show no password of Redis."""
    monkeypatch.setenv(f"FAST_PRIORITY_REDIS_{variable}", text)
    if variable.startswith("SENTINEL"):
        monkeypatch.setenv("FAST_PRIORITY_REDIS_SENTINELS", "s1")
        monkeypatch.setenv("FAST_PRIORITY_REDIS_SENTINEL_MASTER", "mymaster")
    settings = Settings.load()
    assert "hush" not in repr(settings)
    assert "hush" not in str(origins(settings))
