"""Variables that Kubernetes sets in pods beside Services with names like `fast-priority` are not settings."""

from pathlib import Path

import pytest

from fast_priority.settings import Settings, origins, warnings_about_environment

OF_SERVICES = {
    "FAST_PRIORITY_SERVICE_HOST": "10.0.0.1",
    "FAST_PRIORITY_SERVICE_PORT": "8000",
    "FAST_PRIORITY_SERVICE_PORT_HTTP": "8000",
    "FAST_PRIORITY_PORT": "tcp://10.0.0.1:8000",
    "FAST_PRIORITY_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "FAST_PRIORITY_PORT_8000_TCP_PROTO": "tcp",
    "FAST_PRIORITY_PORT_8000_TCP_PORT": "8000",
    "FAST_PRIORITY_PORT_8000_TCP_ADDR": "10.0.0.1",
    "FAST_PRIORITY_REDIS_SERVICE_HOST": "10.0.0.2",
    "FAST_PRIORITY_REDIS_SERVICE_PORT": "6379",
    "FAST_PRIORITY_REDIS_PORT": "tcp://[fd00::2]:6379",
    "FAST_PRIORITY_REDIS_PORT_6379_TCP": "tcp://[fd00::2]:6379",
    "FAST_PRIORITY_WORKERS_SERVICE_HOST": "10.0.0.3",
    "FAST_PRIORITY_WORKERS_PORT": "udp://10.0.0.3:53",
    "FAST_PRIORITY_WORKERS_PORT_53_UDP_ADDR": "10.0.0.3",
    "FAST_PRIORITY_GATEWAY_PORT": "sctp://10.0.0.4:1",
}


@pytest.mark.parametrize("variable", OF_SERVICES)
def test_it_sets_nothing(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A variable of a Service changes no setting."""
    usual = Settings.load()
    monkeypatch.setenv(variable, OF_SERVICES[variable])
    assert Settings.load() == usual


@pytest.mark.parametrize("variable", OF_SERVICES)
def test_warning_for_one(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A variable of a Service is named in a warning, which does not take it for a misspelt one."""
    monkeypatch.setenv(variable, OF_SERVICES[variable])
    (warning,) = warnings_about_environment()
    assert warning.startswith(f"{variable} is ignored: Kubernetes sets it")


def test_one_warning_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many variables of Services are one warning."""
    for variable, value in OF_SERVICES.items():
        monkeypatch.setenv(variable, value)
    (warning,) = warnings_about_environment()
    assert warning.startswith(f"FAST_PRIORITY_GATEWAY_PORT and {len(OF_SERVICES) - 1} more variables are ignored")


@pytest.mark.parametrize(
    ("variable", "value"), [("PORT", "tcp://10.0.0.1:8000"), ("REDIS_PORT", "TCP://10.0.0.1:1"), ("PORT", "udp://x:1")]
)
def test_dotenv_counts_behind_it(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A variable of a Service counts as not set: what `.env` has is used."""
    Path(".env").write_text(f"FAST_PRIORITY_{variable}=8001")
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", value)
    settings = Settings.load()
    assert getattr(settings, variable.lower()) == 8001
    (shown,) = (origin for origin in origins(settings) if origin.variable == f"FAST_PRIORITY_{variable}")
    assert (shown.value, shown.source) == ("8001", "file .env")


@pytest.mark.parametrize(("variable", "value"), [("PORT", "8001"), ("REDIS_PORT", "8001"), ("PORT", " 8001 ")])
def test_numbers_count(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A port that is a number is a setting."""
    monkeypatch.setenv(f"FAST_PRIORITY_{variable}", value)
    assert getattr(Settings.load(), variable.lower()) == 8001
    assert warnings_about_environment() == []


def test_variables_of_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of Services with other names are no concern of ours."""
    for variable in ("REDIS_PORT", "API_SERVICE_HOST", "KUBERNETES_PORT_443_TCP"):
        monkeypatch.setenv(variable, "tcp://10.0.0.1:443")
    assert warnings_about_environment() == []
