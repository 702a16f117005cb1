"""`fast-priority config`: the values in force and where they come from, without secrets."""

import click
import pytest
from typer.testing import CliRunner

from fast_priority import cli
from fast_priority.settings import Settings


def config(columns: int = 250) -> str:
    result = CliRunner().invoke(
        cli.app, ["config"], env={"COLUMNS": str(columns), "NO_COLOR": "1"}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.stderr
    return click.unstyle(result.stdout)


def row_of(variable: str, shown: str) -> str:
    (row,) = (line for line in shown.splitlines() if f" {variable} " in line)
    return row


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_shown(name: str) -> None:
    """Every setting has its row, with what it means."""
    meaning = Settings.model_fields[name].description
    assert meaning is not None
    assert meaning.split()[0] in row_of(f"FAST_PRIORITY_{name.upper()}", config())


def test_value_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting from the environment is shown with its value and its source."""
    monkeypatch.setenv("FAST_PRIORITY_TTL", "4711")
    row = row_of("FAST_PRIORITY_TTL", config())
    assert "4711" in row
    assert "environment" in row


def test_default_is_shown() -> None:
    """A setting that is not set is shown as a default."""
    assert "default" in row_of("FAST_PRIORITY_TTL", config())


def test_password_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Redis password is masked, and its length is not visible."""
    shown = []
    for password in ("hush", "hush" * 8):
        monkeypatch.setenv("FAST_PRIORITY_REDIS_PASSWORD", password)
        shown.append(config())
    assert "hush" not in shown[0]
    assert "**" in row_of("FAST_PRIORITY_REDIS_PASSWORD", shown[0])
    assert shown[0] == shown[1]


@pytest.mark.parametrize("url", ["http://[fe80::1]:9000", "http://api/[dim]"])
def test_brackets_are_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A value with brackets, as an IPv6 address has, is shown as it is and not taken for markup."""
    monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", url)
    assert url in config()


def test_brackets_are_no_closing_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that looks like the end of markup is no error."""
    monkeypatch.setenv("FAST_PRIORITY_PRIO_PATHS", "a[/b]")
    assert "a[/b]" in config()


def test_piped_to_a_search() -> None:
    """In 80 columns, as when piped, each variable's name is in one piece, so that it can be searched for."""
    shown = config(columns=80)
    assert [name for name in Settings.model_fields if f"FAST_PRIORITY_{name.upper()}" not in shown] == []


def test_target_missing() -> None:
    """Without a target, the reader learns that a gateway needs one."""
    assert "A gateway needs FAST_PRIORITY_TARGET_BASE_URL" in config()


def test_slots_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader learns how many slots a gateway would have."""
    monkeypatch.setenv("FAST_PRIORITY_SLOTS", "4")
    assert "With these settings, `run-fast-priority` runs a gateway with 4 slots." in config()


def test_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Showing the settings of a worker starts no worker."""
    monkeypatch.setenv("FAST_PRIORITY_WORKERS", "2")
    monkeypatch.setattr(cli, "_run_workers", lambda _: pytest.fail("a worker was started"))
    assert "2" in row_of("FAST_PRIORITY_WORKERS", config())
