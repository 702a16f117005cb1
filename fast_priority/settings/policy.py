"""Settings of rules and keys: the two files, from which a gateway makes its policy."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, FilePath

from fast_priority.errors import ConfigurationError
from fast_priority.settings.environment import PREFIX
from fast_priority.settings.field import setting

MOST_FILE_BYTES = 4 * 1024 * 1024
"""The most that one of the files may have."""


PolicyTexts: TypeAlias = tuple[tuple[str, str] | None, tuple[str, str] | None]
"""Name and text of the policy file and of the keys file; None for one that is not set."""


class PolicySettings(BaseModel):
    """The files with rules and with keys."""

    policy_file: FilePath | None = setting(
        None,
        "File with rules that choose the level of a request by more than its path.",
        "the path of a TOML file with rules",
    )
    keys_file: FilePath | None = setting(
        None,
        "File with the keys of clients, as SHA-256: each caps the level of its requests.",
        "the path of a TOML file that has what `fast-priority key NAME` prints",
    )

    def policy_texts(self) -> PolicyTexts:
        """Return name and text of the policy file and of the keys file; None for one that is not set.

        Raises ConfigurationError for a file that cannot be read.
        """
        return self.policy_text(), _read("KEYS_FILE", self.keys_file)

    def policy_text(self) -> tuple[str, str] | None:
        """Return name and text of the policy file; None if it is not set. Raises as `policy_texts`."""
        return _read("POLICY_FILE", self.policy_file)


def _read(name: str, path: Path | None) -> tuple[str, str] | None:
    if path is None:
        return None

    def refuse(why: str) -> ConfigurationError:
        return ConfigurationError(f"{PREFIX}{name}={str(path)!r} cannot be used ({why})")

    return str(path), _text_of(path, refuse)


def _text_of(path: Path, refuse: Callable[[str], ConfigurationError]) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise refuse(f"{error.strerror or error}: let this user read it") from None
    if len(data) > MOST_FILE_BYTES:
        raise refuse(f"it has more than {MOST_FILE_BYTES} bytes: make it shorter")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise refuse("it is not UTF-8: save it as UTF-8") from None
