"""Which `.env` is used: the nearest one that no other user can write; what cannot be read is one line."""

import os
from pathlib import Path

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, origins, reason_of_role, warnings_about_environment
from fast_priority.settings.dotenv_file import DOTENV_DISABLED


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory two folders below `tmp_path`."""
    folder = tmp_path / "one" / "two"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, text: str = "FAST_PRIORITY_TTL=10", mode: int = 0o644) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_found_above(below: Path, levels: int) -> None:
    """The file is found in the working directory and in the folders above it."""
    write([below, *below.parents][levels])
    assert Settings.load().ttl == 10


def test_nearest(below: Path, tmp_path: Path) -> None:
    """The nearest file counts alone."""
    write(tmp_path, "FAST_PRIORITY_TTL=20\nFAST_PRIORITY_PORT=20")
    write(below)
    settings = Settings.load()
    assert (settings.ttl, settings.port) == (10, 8000)


def test_environment_comes_first(below: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment wins over a file above."""
    write(tmp_path)
    monkeypatch.setenv("FAST_PRIORITY_TTL", "20")
    assert Settings.load().ttl == 20


@pytest.mark.parametrize("mode", [0o646, 0o666, 0o602])
def test_others_can_write_it(below: Path, tmp_path: Path, mode: int) -> None:
    """A file that every user can write is not used; one warning says so."""
    path = write(tmp_path, mode=mode)
    assert Settings.load().ttl == 300
    (warning,) = warnings_about_environment()
    assert warning.startswith(f"{path} is not used: other users can write it")


def status_of(path: Path, user: int, group: int) -> os.stat_result:
    fields = list(path.stat())
    fields[4:6] = [user, group]
    return os.stat_result(fields)


@pytest.mark.parametrize(
    ("owner", "group", "mode", "is_used"),
    [
        ("me", "me", 0o644, True),
        ("me", "me", 0o664, True),
        ("root", "root", 0o644, True),
        ("root", "root", 0o664, True),
        ("me", "others", 0o644, True),
        ("me", "others", 0o664, False),
        ("root", "others", 0o664, False),
        ("other", "me", 0o644, False),
        ("other", "other", 0o600, False),
        ("other", "root", 0o644, False),
    ],
)
def test_owner(below: Path, monkeypatch: pytest.MonkeyPatch, owner: str, group: str, mode: int, is_used: bool) -> None:
    """Only a file of this user or of root is used that no other user, also none of a shared group, can write."""
    path = write(below, mode=mode)
    numbers = {"me": 1000, "root": 0, "other": 1001, "others": 100}
    as_it_is = status_of(path, numbers[owner], numbers[group])
    for name in ("geteuid", "getegid"):
        monkeypatch.setattr(os, name, lambda: 1000)
    monkeypatch.setattr(os, "fstat", lambda _: as_it_is)
    for name in ("stat", "lstat"):
        monkeypatch.setattr(Path, name, lambda self, **_: as_it_is)
    assert (Settings.load().ttl == 10) is is_used
    assert len(warnings_about_environment()) == (0 if is_used else 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16(below: Path, encoding: str) -> None:
    """A file that is not UTF-8 is one line with the remedy."""
    path = below / ".env"
    path.write_bytes("FAST_PRIORITY_TTL=10\n".encode(encoding))
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert str(caught.value) == f"{path} cannot be read (it is not UTF-8 text; UTF-16, perhaps): save it as UTF-8"


@pytest.mark.parametrize("content", [b"FAST_PRIORITY_TTL=10\n#\xff", b"\xe9=1", b"A=\0"])
def test_other_bytes(below: Path, content: bytes) -> None:
    """A file with bytes that are not UTF-8 text is one line."""
    (below / ".env").write_bytes(content)
    with pytest.raises(ConfigurationError, match="save it as UTF-8"):
        Settings.load()


def test_byte_order_mark(below: Path) -> None:
    """The mark that some editors put in front of UTF-8 is no part of the first name."""
    (below / ".env").write_text("FAST_PRIORITY_TTL=10", encoding="utf-8-sig")
    assert Settings.load().ttl == 10


def test_no_permission(below: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the working directory that this user may not read is one line."""
    path = write(below)
    monkeypatch.setattr(Path, "open", refuse)  # root could read any file
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert str(caught.value).startswith(f"{path} cannot be read (Permission denied)")


def refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_unreadable_above(below: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file above the working directory that cannot be read is not used, and does not prevent the start."""
    path = write(tmp_path)
    monkeypatch.setattr(Path, "open", refuse)
    assert Settings.load().ttl == 300
    (warning,) = warnings_about_environment()
    assert warning.startswith(f"{path} cannot be read (Permission denied)")


def test_directory(below: Path) -> None:
    """A directory of this name is not used; one warning says so."""
    (below / ".env").mkdir()
    assert Settings.load().ttl == 300
    assert warnings_about_environment() == [f"{below / '.env'} is not used: it is a directory"]


@pytest.mark.parametrize("target", ["/dev/null", "pipe"])
def test_no_file(below: Path, target: str) -> None:
    """A device or a pipe is not read."""
    os.mkfifo(below / "pipe")
    (below / ".env").symlink_to(target)
    assert Settings.load().ttl == 300
    assert warnings_about_environment() == [f"{below / '.env'} is not used: it is not a file"]


def test_removed_working_directory(below: Path) -> None:
    """A working directory that was removed has no `.env`."""
    below.rmdir()
    assert Settings.load().ttl == 300


@pytest.mark.parametrize("text", ["1", "true", "YES"])
def test_disabled(below: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """With python-dotenv's own variable, no `.env` is read."""
    write(below)
    monkeypatch.setenv(DOTENV_DISABLED, text)
    assert Settings.load().ttl == 300


def test_source_above(below: Path, tmp_path: Path) -> None:
    """The source of a setting from a file above is shown with its path, also in an error."""
    path = write(tmp_path)
    sources = {origin.variable: origin.source for origin in origins(Settings.load())}
    assert sources["FAST_PRIORITY_TTL"] == f"file {path}"
    write(tmp_path, "FAST_PRIORITY_TTL=x")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert str(caught.value).startswith(f"FAST_PRIORITY_TTL='x' in {path} cannot be used")


@pytest.mark.parametrize(
    ("text", "environment", "reason"),
    [
        ("OTHER=1", {}, "FAST_PRIORITY_WORKERS is not set"),
        ("FAST_PRIORITY_WORKERS=4", {}, "FAST_PRIORITY_WORKERS=4 from {path}"),
        ("FAST_PRIORITY_WORKER=yes", {}, "FAST_PRIORITY_WORKER='yes' from {path}"),
        ("FAST_PRIORITY_WORKERS=4", {"FAST_PRIORITY_WORKERS": "2"}, "FAST_PRIORITY_WORKERS=2 from the environment"),
        ("OTHER=1", {"FAST_PRIORITY_WORKER": "3"}, "FAST_PRIORITY_WORKER=3 from the environment"),
    ],
)
def test_reason_of_role(
    below: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    environment: dict[str, str],
    reason: str,
) -> None:
    """The reason why a process is a worker names the variable, its value and where that comes from."""
    path = write(tmp_path, text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert reason_of_role(Settings.load()) == reason.format(path=path)


@pytest.mark.parametrize(
    ("text", "given", "note"),
    [
        ("FAST_PRIORITY_TTL=10", {}, ", with settings from {path}"),
        ("FAST_PRIORITY_WORKERS=2", {}, ", with settings from {path}, FAST_PRIORITY_WORKERS among them"),
        ("FAST_PRIORITY_WORKER=2", {}, ", with settings from {path}, FAST_PRIORITY_WORKERS among them"),
        ("FAST_PRIORITY_TTL=10", {"ttl": 20}, ""),
        ("FAST_PRIORITY_WORKERS=2", {"workers": "1"}, ""),
        ("OTHER=1", {}, ""),
    ],
)
def test_note(below: Path, tmp_path: Path, text: str, given: dict[str, object], note: str) -> None:
    """The start line names the file if it has set something, and the role that it has decided."""
    path = write(tmp_path, text)
    assert Settings.load(**given).note_on_dotenv == note.format(path=path)
