"""The limits of levels, from the settings and from the policy file."""

from pathlib import Path

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, origins


def settings(tmp_path: Path, text: str, **given: object) -> Settings:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return Settings.load(policy_file=path, **given)


def test_limits_of_the_settings() -> None:
    """High and low have the limits of the settings; every other level has 10,000 requests and the TTL of all."""
    loaded = Settings.load(levels="high,normal,low", max_queued_high=5, max_queued_low=6, ttl=7)
    table = loaded.level_table()
    assert [table.limits_of(level) for level in table.levels] == [(5, 7), (10_000, 7), (6, 7)]


def test_limits_of_the_file(tmp_path: Path) -> None:
    """What the file says of a level wins, and what it leaves out is as without it."""
    text = 'levels = ["high", "normal", "low"]\n[level.normal]\nmax_queued = 3\n[level.low]\nttl = 900\n'
    loaded = settings(tmp_path, text, max_queued_low=6, ttl=7)
    table = loaded.level_table()
    assert [table.limits_of(level) for level in table.levels] == [(10_000, 7), (3, 7), (6, 900)]
    assert table.longest_ttl_seconds == 900
    assert loaded.drain_seconds == 900 + loaded.timeout + 5


@pytest.mark.parametrize("given", [None, "high,normal,low"])
def test_levels_stand_in_the_file(tmp_path: Path, given: str | None) -> None:
    """The file names the levels; the variable may name the same."""
    loaded = settings(tmp_path, 'levels = ["high", "normal", "low"]', levels=given)
    assert loaded.level_table().levels == ("high", "normal", "low")


@pytest.mark.parametrize("given", ["high,low", "high,batch,low", "high,low,normal"])
def test_levels_that_differ(tmp_path: Path, given: str) -> None:
    """Levels that stand in two places and differ are an error that names both."""
    loaded = settings(tmp_path, 'levels = ["high", "normal", "low"]', levels=given)
    with pytest.raises(ConfigurationError) as raised:
        loaded.level_table()
    assert "policy.toml: levels: here are high,normal,low" in str(raised.value)
    assert f"FAST_PRIORITY_LEVELS={given}: write them in one place only" in str(raised.value)


def test_the_variable_names_them_for_the_file(tmp_path: Path) -> None:
    """Levels of the variable may have limits in the file."""
    loaded = settings(tmp_path, "[level.batch]\nttl = 5", levels="high,low,batch")
    assert loaded.level_table().limits_of("batch") == (10_000, 5)


def test_the_source_of_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fast-priority config` shows the levels, and where they come from."""

    def shown(loaded: Settings) -> tuple[str, str]:
        return next((row.value, row.source) for row in origins(loaded) if row.variable == "FAST_PRIORITY_LEVELS")

    assert shown(Settings.load()) == ("high,low", "default")
    of_file = settings(tmp_path, 'levels = ["high", "normal", "low"]')
    assert shown(of_file) == ("high,normal,low", f"file {tmp_path}/policy.toml")
    monkeypatch.setenv("FAST_PRIORITY_LEVELS", "high,low,batch")
    assert shown(Settings.load()) == ("high,low,batch", "environment")
