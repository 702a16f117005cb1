"""Where a setting comes from: arguments, then the environment, then `.env`, then the default."""

from pathlib import Path

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, origins, warnings_about_environment
from fast_priority.settings.sources import SettingSource, unknown_variables


def write_dotenv(*lines: str) -> None:
    Path(".env").write_text("\n".join(lines), encoding="utf-8")


def origin_of(variable: str, settings: Settings) -> SettingSource:
    return next(origin for origin in origins(settings) if origin.variable == variable)


def test_dotenv_is_read() -> None:
    """The file .env of the working directory is read."""
    write_dotenv("FAST_PRIORITY_TTL=10")
    assert Settings.load().ttl == 10


@pytest.mark.parametrize("variable", ["FAST_PRIORITY_WORKERS", "FAST_PRIORITY_WORKER"])
def test_dotenv_makes_a_worker(variable: str) -> None:
    """Both spellings count in .env as well."""
    write_dotenv(f"{variable}=3")
    assert Settings.load().worker_processes == 3


def test_environment_wins_over_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment wins over the same one in .env."""
    write_dotenv("FAST_PRIORITY_TTL=10")
    monkeypatch.setenv("FAST_PRIORITY_TTL", "20")
    assert Settings.load().ttl == 20


def test_argument_wins_over_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument, such as an option of the command line, wins over the environment."""
    monkeypatch.setenv("FAST_PRIORITY_TTL", "20")
    assert Settings.load(ttl=30).ttl == 30


def test_none_is_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that was not given leaves the environment's value."""
    monkeypatch.setenv("FAST_PRIORITY_TTL", "20")
    assert Settings.load(ttl=None).ttl == 20


def test_empty_variable_leaves_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable of the environment counts as not set, so that `.env` is used."""
    write_dotenv("FAST_PRIORITY_TTL=10")
    monkeypatch.setenv("FAST_PRIORITY_TTL", "")
    settings = Settings.load()
    assert (settings.ttl, origin_of("FAST_PRIORITY_TTL", settings).source) == (10, "file .env")


def test_foreign_lines_of_dotenv() -> None:
    """A `.env` with variables of other programs is not an error."""
    write_dotenv("SOMETHING_ELSE=1", "FAST_PRIORITY_TTL=10")
    assert Settings.load().ttl == 10


def test_origin_default() -> None:
    """The source of a setting that is not set is `default`."""
    origin = origin_of("FAST_PRIORITY_TTL", Settings.load())
    assert (origin.value, origin.source) == ("300", "default")


def test_origin_dotenv() -> None:
    """The source of a setting from `.env` is that file."""
    write_dotenv("FAST_PRIORITY_TTL=10")
    origin = origin_of("FAST_PRIORITY_TTL", Settings.load())
    assert (origin.value, origin.source) == ("10", "file .env")


def test_origin_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source of a setting from the environment is `environment`, under either name of the variable."""
    monkeypatch.setenv("FAST_PRIORITY_WORKER", "2")
    origin = origin_of("FAST_PRIORITY_WORKERS", Settings.load())
    assert (origin.value, origin.source) == ("2", "environment")


def test_origin_masks_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Redis password is masked."""
    monkeypatch.setenv("FAST_PRIORITY_REDIS_PASSWORD", "hush")
    origin = origin_of("FAST_PRIORITY_REDIS_PASSWORD", Settings.load())
    assert origin.value
    assert "hush" not in origin.value


def test_every_setting_has_an_origin_and_a_meaning() -> None:
    """`config` shows every setting, with its meaning."""
    found = origins(Settings.load())
    assert len(found) == len(Settings.model_fields)
    assert all(origin.meaning for origin in found)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("FAST_PRIORITY_TARGET_URL", "FAST_PRIORITY_TARGET_BASE_URL"),
        ("FAST_PRIORITY_NORMALISE_PATHS", "FAST_PRIORITY_NORMALIZE_PATHS"),
        ("fast_priority_worke", "FAST_PRIORITY_WORKE"),
    ],
)
def test_unknown_variable(wrong: str, near: str) -> None:
    """There is a warning about a variable that nothing reads, with the nearest known name."""
    (warning,) = unknown_variables({wrong: "x"})
    assert warning.startswith(wrong.upper())
    assert f"did you mean {near}" in warning


def test_unknown_variable_unlike_any() -> None:
    """Without a near name, the warning names the command that lists all variables."""
    (warning,) = unknown_variables({"FAST_PRIORITY_ZZZZZZZZZZZZZZZZZZZZZZZZZZZ": "x"})
    assert "fast-priority config" in warning


def test_known_variables_are_not_warned_of() -> None:
    """There is no warning about a known variable, under either name, nor about variables of other programs."""
    known = [f"FAST_PRIORITY_{name.upper()}" for name in Settings.model_fields]
    assert unknown_variables(dict.fromkeys([*known, "FAST_PRIORITY_WORKER", "PATH"], "x")) == []


def test_warnings_look_in_both_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown variable is found in the environment and in .env."""
    write_dotenv("FAST_PRIORITY_TLT=1")
    monkeypatch.setenv("FAST_PRIORITY_PROT", "1")
    assert [warning.split()[0] for warning in warnings_about_environment()] == [
        "FAST_PRIORITY_PROT",
        "FAST_PRIORITY_TLT",
    ]


def test_warnings_do_not_show_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning about a misspelt password variable does not show its value."""
    monkeypatch.setenv("FAST_PRIORITY_REDIS_PASSWROD", "hush")
    (warning,) = warnings_about_environment()
    assert "hush" not in warning


def test_a_bad_value_in_dotenv_is_said_to_be_there() -> None:
    """An error about a value from `.env` names the file."""
    Path(".env").write_text("FAST_PRIORITY_PORT=zz\n")
    with pytest.raises(ConfigurationError, match=r"^FAST_PRIORITY_PORT='zz' in \.env cannot be used"):
        Settings.load()
