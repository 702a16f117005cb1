"""The default of each setting, and the variable that sets it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from fast_priority.http.trusted_proxies import address_of
from fast_priority.scheduling.path_forms import PathCase
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Listing, RequestFacts
from fast_priority.settings import Settings, warnings_about_environment


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("target_base_url", None),
        ("target_probe_path", None),
        ("target_tls_ca", None),
        ("target_tls_cert", None),
        ("target_tls_key", None),
        ("high_prio_paths", Listing.UNLISTED),
        ("prio_paths", ()),
        ("prio_base_paths", ()),
        ("pass_through", ("health/",)),
        ("normalize_paths", True),
        ("path_case", PathCase.EXACT),
        ("policy_file", None),
        ("keys_file", None),
        ("poll_interval", 1.0),
        ("levels", ("high", "low")),
        ("policy_change", False),
        ("ttl", 300),
        ("redis_host", "localhost"),
        ("redis_port", 6379),
        ("redis_user", None),
        ("redis_password", None),
        ("redis_url", None),
        ("redis_socket", None),
        ("redis_db", 0),
        ("redis_tls", False),
        ("redis_tls_ca", None),
        ("redis_tls_cert", None),
        ("redis_tls_key", None),
        ("redis_sentinels", ()),
        ("redis_sentinel_master", None),
        ("redis_sentinel_user", None),
        ("redis_sentinel_password", None),
        ("doc_path", "/gateway_docs"),
        ("redoc_path", "/gateway_redoc"),
        ("health_path", "/gateway_health"),
        ("host", "0.0.0.0"),
        ("port", 8000),
        ("workers", None),
        ("trusted_proxies", ()),
        ("cors_origins", ()),
    ],
)
def test_default(name: str, default: object) -> None:
    """Each setting has the default that the documentation promises."""
    assert getattr(Settings.load(), name) == default


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("TARGET_BASE_URL", "https://api.example/v1", "target_base_url", "https://api.example/v1"),
        ("TARGET_PROBE_PATH", "health", "target_probe_path", "/health"),
        ("TARGET_PROBE_PATH", "/", "target_probe_path", "/"),
        ("TARGET_PROBE_PATH", "/status/ready/", "target_probe_path", "/status/ready/"),
        ("HIGH_PRIO_PATHS", "listed", "high_prio_paths", Listing.LISTED),
        ("HIGH_PRIO_PATHS", "unlisted", "high_prio_paths", Listing.UNLISTED),
        ("PATH_CASE", "ignore", "path_case", PathCase.IGNORE),
        ("PATH_CASE", " Exact ", "path_case", PathCase.EXACT),
        ("PRIO_PATHS", "endpoint_1,endpoint_2", "prio_paths", ("endpoint_1", "endpoint_2")),
        ("PRIO_BASE_PATHS", "reports, v1/batch ,", "prio_base_paths", ("reports", "v1/batch")),
        ("PASS_THROUGH", "version,health/", "pass_through", ("version", "health/")),
        ("PASS_THROUGH", ",", "pass_through", ()),
        ("PASS_THROUGH", "", "pass_through", ("health/",)),
        ("POLL_INTERVAL", "0.25", "poll_interval", 0.25),
        ("LEVELS", "high, normal,low", "levels", ("high", "normal", "low")),
        ("POLICY_CHANGE", "on", "policy_change", True),
        ("TTL", "7", "ttl", 7),
        ("REDIS_HOST", "redis.example", "redis_host", "redis.example"),
        ("REDIS_PORT", "6380", "redis_port", 6380),
        ("REDIS_USER", "gate", "redis_user", "gate"),
        ("REDIS_DB", "3", "redis_db", 3),
        ("REDIS_SOCKET", "/run/redis.sock", "redis_socket", "/run/redis.sock"),
        ("REDIS_TLS", "on", "redis_tls", True),
        ("DOC_PATH", "/own_docs", "doc_path", "/own_docs"),
        ("REDOC_PATH", "own_redoc/", "redoc_path", "/own_redoc"),
        ("HEALTH_PATH", "own/health", "health_path", "/own/health"),
        ("HOST", "127.0.0.1", "host", "127.0.0.1"),
        ("HOST", "127.0.0.1, [::1]", "host", "127.0.0.1,::1"),
        ("CORS_ORIGINS", "https://a.example, http://b:81", "cors_origins", ("https://a.example", "http://b:81")),
        ("PORT", "8001", "port", 8001),
        ("TIMEOUT", "2.5", "timeout", 2.5),
        ("CLIENT_TIMEOUT", "2.5", "client_timeout", 2.5),
        ("CONNECT_TIMEOUT", "0.5", "connect_timeout", 0.5),
        ("MAX_BODY", "2048", "max_body", 2048),
        ("MAX_CONNECTIONS", "0", "max_connections", 0),
        ("WEBSOCKETS", "off", "websockets", False),
        ("ACCESS_LOG", "on", "access_log_seconds", 0.0),
        ("ACCESS_LOG", "OFF", "access_log_seconds", None),
        ("ACCESS_LOG", "", "access_log_seconds", None),
        ("ACCESS_LOG", " 2.5 ", "access_log_seconds", 2.5),
        ("ACCESS_LOG", "1", "access_log_seconds", 1.0),
        ("OPERATOR_TOKEN", "a-b.c_d~e+f/g==", "operator_token", SecretStr("a-b.c_d~e+f/g==")),
        ("SERVER_TIMING", "off", "server_timing", False),
        ("MAX_TUNNELS", "7", "max_tunnels", 7),
        ("HEAD_TIMEOUT", "2.5", "head_timeout", 2.5),
        ("KEEP_ALIVE", "60", "keep_alive", 60.0),
        ("DRAIN_TIMEOUT", "25", "drain_timeout", 25.0),
        ("DRAIN_DELAY", "10", "drain_delay", 10.0),
        ("MAX_QUEUED_HIGH", "3", "max_queued_high", 3),
        ("MAX_QUEUED_LOW", "4", "max_queued_low", 4),
        ("WORKER_CONCURRENCY", "8", "worker_concurrency", 8),
        ("SLOTS", "4", "slots", 4),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", "trusted_proxies", ("10.0.0.0/8", "::1")),
        ("TRUSTED_PROXIES", "", "trusted_proxies", ()),
    ],
)
def test_variable(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object) -> None:
    """Each variable sets its setting."""
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", text)
    assert getattr(Settings.load(), name) == value


def test_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAST_PRIORITY_REDIS_PASSWORD is readable by its name."""
    monkeypatch.setenv("FAST_PRIORITY_REDIS_PASSWORD", "hush")
    password = Settings.load().redis_password
    assert password is not None
    assert password.get_secret_value() == "hush"


@pytest.mark.parametrize("text", ["0", "false", "no", "off", "False", "OFF"])
def test_normalisation_is_turned_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """0, false, no and off, in any case, make slashes at the ends of a path count."""
    monkeypatch.setenv("FAST_PRIORITY_NORMALIZE_PATHS", text)
    monkeypatch.setenv("FAST_PRIORITY_PRIO_PATHS", "/orders")
    rules = Settings.load().rules
    assert rules.priority_of(RequestFacts("/orders", "GET")) is Priority.LOW
    assert rules.priority_of(RequestFacts("/orders/", "GET")) is Priority.HIGH


@pytest.mark.parametrize("text", ["1", "true", "yes", "on", ""])
def test_normalisation_is_on(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """1, true, yes, on and nothing at all leave slashes at the ends of a path without meaning."""
    monkeypatch.setenv("FAST_PRIORITY_NORMALIZE_PATHS", text)
    monkeypatch.setenv("FAST_PRIORITY_PRIO_PATHS", "/orders")
    assert Settings.load().rules.priority_of(RequestFacts("orders/", "GET")) is Priority.LOW


@pytest.mark.parametrize("text", ["ignore", "IGNORE", "Ignore"])
def test_capitals_are_ignored(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """FAST_PRIORITY_PATH_CASE=ignore makes one path of all its spellings in capitals and small letters."""
    monkeypatch.setenv("FAST_PRIORITY_PATH_CASE", text)
    monkeypatch.setenv("FAST_PRIORITY_PRIO_PATHS", "/orders")
    rules = Settings.load().rules
    levels = {rules.priority_of(RequestFacts(path, "GET")) for path in ("/orders", "/Orders", "/ORDERS")}
    assert levels == {Priority.LOW}


@pytest.mark.parametrize("written", ["reports", "/reports", "reports/", "/reports/"])
@pytest.mark.parametrize("variable", ["PRIO_PATHS", "PRIO_BASE_PATHS", "PASS_THROUGH"])
def test_slashes_mean_the_same(monkeypatch: pytest.MonkeyPatch, variable: str, written: str) -> None:
    """A path means the same with and without slashes at either end, in every list of paths."""
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", written)
    expected = None if variable == "PASS_THROUGH" else Priority.LOW
    assert Settings.load().rules.priority_of(RequestFacts("/reports", "GET")) is expected


@pytest.mark.parametrize("text", [",", " , ", ",,"])
@pytest.mark.parametrize("variable", ["PRIO_PATHS", "PRIO_BASE_PATHS", "PASS_THROUGH"])
def test_no_paths(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """A comma alone is a list without paths, also where `.env` has others."""
    Path(".env").write_text(f"FAST_PRIORITY_{variable}=others")
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", text)
    assert getattr(Settings.load(), variable.lower()) == ()


@pytest.mark.parametrize("variable", ["PRIO_PATHS", "PRIO_BASE_PATHS", "PASS_THROUGH"])
def test_empty_list(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """An empty list of paths counts as not set: what `.env` has is used."""
    Path(".env").write_text(f"FAST_PRIORITY_{variable}=others")
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", "")
    assert getattr(Settings.load(), variable.lower()) == ("others",)


@pytest.mark.parametrize(
    ("text", "used"), [("0", 0.05), ("0.01", 0.05), ("-3", 0.05), ("61", 60), ("1e9", 60), ("inf", 60), ("-inf", 0.05)]
)
def test_poll_interval_is_clamped(monkeypatch: pytest.MonkeyPatch, text: str, used: float) -> None:
    """A poll interval outside of its range is the nearest one in it, and a warning says which."""
    monkeypatch.setenv("FAST_PRIORITY_POLL_INTERVAL", text)
    assert Settings.load().poll_interval == used
    (warning,) = warnings_about_environment()
    assert warning.startswith(f"FAST_PRIORITY_POLL_INTERVAL={text} ")
    assert warning.endswith(f"{used:g} is used")


@pytest.mark.parametrize("text", ["0.05", "60", "60.0", " 1 ", "often", ""])
def test_poll_interval_without_a_warning(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nothing is warned of if the interval is within its range, or not a number."""
    monkeypatch.setenv("FAST_PRIORITY_POLL_INTERVAL", text)
    assert warnings_about_environment() == []


def test_rules_follow_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `listed`, the paths that are named are high and all others are low."""
    monkeypatch.setenv("FAST_PRIORITY_HIGH_PRIO_PATHS", "listed")
    monkeypatch.setenv("FAST_PRIORITY_PRIO_PATHS", "orders")
    rules = Settings.load().rules
    assert rules.priority_of(RequestFacts("/orders", "GET")) is Priority.HIGH
    assert rules.priority_of(RequestFacts("/others", "GET")) is Priority.LOW


def test_health_passes_through_by_default() -> None:
    """Without FAST_PRIORITY_PASS_THROUGH, the target's /health skips the queue."""
    assert Settings.load().rules.priority_of(RequestFacts("/health", "GET")) is None


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_documentation_passes_through(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The target's documentation skips the queue, even with an empty list of paths that do."""
    monkeypatch.setenv("FAST_PRIORITY_PASS_THROUGH", ",")
    assert Settings.load().rules.priority_of(RequestFacts(path, "GET")) is None


def test_target_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy for workers has the URL of the target, the timeouts and the size limit."""
    for variable, text in {"TARGET_BASE_URL": "http://api/", "CONNECT_TIMEOUT": "1", "TIMEOUT": "2"}.items():
        monkeypatch.setenv(f"FAST_PRIORITY_{variable}", text)
    policy = Settings.load(max_body=4096).target_policy()
    assert (policy.base_url, policy.connect_timeout_seconds, policy.timeout_seconds, policy.max_body_bytes) == (
        "http://api", 1, 2, 4096,
    )  # fmt: skip


def test_trusted_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxies that are named are the ones that are trusted."""
    monkeypatch.setenv("FAST_PRIORITY_TRUSTED_PROXIES", "10.0.0.0/8")
    proxies = Settings.load().proxies
    assert [proxies.has(address_of(peer)) for peer in ("10.1.2.3", "11.1.2.3")] == [True, False]


def test_settings_do_not_change() -> None:
    """Settings cannot be changed after they are built."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().ttl = 1


def test_a_gateway_drains_for_as_long_as_an_answer_can_take() -> None:
    """By default, a gateway that ends waits as long as a request may wait and the target may be inactive."""
    assert Settings.load(ttl=10, timeout=20).drain_seconds == 35
    assert Settings.load(drain_timeout=25).drain_seconds == 25


def test_sentinels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Sentinels, the name of their master, and the login make one address."""
    for name, value in {"S": "s1, s2:5000 ,", "_MASTER": "mymaster", "_USER": "gate", "_PASSWORD": "hush"}.items():
        monkeypatch.setenv(f"FAST_PRIORITY_REDIS_SENTINEL{name}", value)
    address = Settings.load().redis_address
    assert (address.sentinels, address.sentinel_master) == ((("s1", 26379), ("s2", 5000)), "mymaster")
    assert (address.sentinel_user, address.sentinel_password) == ("gate", "hush")


@pytest.mark.parametrize("name", ["CA", "CERT", "KEY"])
def test_tls_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """A file for TLS is taken if it is there."""
    monkeypatch.setenv("FAST_PRIORITY_REDIS_TLS", "on")
    for needed in {"CERT", name}:
        (tmp_path / needed).touch()
        monkeypatch.setenv(f"FAST_PRIORITY_REDIS_TLS_{needed}", str(tmp_path / needed))
    assert getattr(Settings.load().redis_address, f"tls_{name.lower()}") == str(tmp_path / name)
