"""The file `.env`: where it is looked for, who may have written it, and what it sets."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from fast_priority.errors import ConfigurationError

DOTENV = ".env"
DOTENV_DISABLED = "PYTHON_DOTENV_DISABLED"
"""python-dotenv's own variable: with 1, true, yes, on or t, no `.env` is read."""

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dotenv:
    """The nearest `.env`: what it sets, by names in capitals, and why it is not used, if it is not."""

    path: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    warning: str | None = None

    @property
    def name(self) -> str:
        """The file as users see it: `.env` in the working directory, else its whole path."""
        return DOTENV if self.path is None or self.path.parent == _working_directory() else str(self.path)


def find_dotenv() -> Dotenv:
    """Return the nearest `.env`, in the working directory or above it.

    It is used only if this user or root owns it, and no other user can write it: a folder above may belong to others.
    Raises ConfigurationError, one line, for a file in the working directory that cannot be read. One above it is not
    used then: it may be for other programs.
    """
    if os.environ.get(DOTENV_DISABLED, "").strip().lower() in ("1", "true", "yes", "on", "t"):
        return Dotenv()
    for path in _candidates():
        try:
            links = path.lstat()
            status = path.stat()
        except OSError:  # it is not there, or it is in a folder that this user cannot look into
            continue
        problem = _problem_of(links, status)
        if problem is not None:
            return Dotenv(path, warning=f"{path} is not used: {problem}")
        try:
            return Dotenv(path, _read(path))
        except ConfigurationError as error:
            if path.parent == _working_directory():
                raise
            return Dotenv(path, warning=f"{error}; it is not used")
    return Dotenv()


def _candidates() -> Iterator[Path]:
    folder = _working_directory()
    if folder is not None:
        yield from (above / DOTENV for above in (folder, *folder.parents))


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return None


def _problem_of(links: os.stat_result, status: os.stat_result) -> str | None:
    """Return why a file is not used; None for one that is. `links` is of the link, if there is one."""
    if not stat.S_ISREG(status.st_mode):
        return "it is a directory" if stat.S_ISDIR(status.st_mode) else "it is not a file"
    if {links.st_uid, status.st_uid} - {os.geteuid(), 0}:
        return "another user owns it; only one of this user or of root is used"
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not _is_private(status)):
        return "other users can write it; `chmod go-w` changes that"
    return None


def _is_private(status: os.stat_result) -> bool:
    # Many systems have a group for each user, with the number of the user, and let it write the user's files.
    return status.st_gid == 0 or status.st_gid == status.st_uid == os.getegid()


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            opened = os.fstat(file.fileno())  # it may have been replaced since it was looked at
            if problem := _problem_of(opened, opened):
                raise ConfigurationError(f"{path} cannot be read ({problem})")
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}): let this user read it, or remove it"
        ) from None
    found = dotenv_values(stream=StringIO(_text_of(path, content)))
    return {name.upper(): value or "" for name, value in found.items()}


def _text_of(path: Path, content: bytes) -> str:
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"{path} cannot be read (it is larger than 1 MiB): it takes lines such as NAME=value")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigurationError(f"{path} cannot be read (it is not UTF-8 text; UTF-16, perhaps): save it as UTF-8")
    return text
