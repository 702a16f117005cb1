"""Where the values of settings come from: variables of the environment, and the file `.env`."""

import os
from pathlib import Path

from dotenv import dotenv_values

PREFIX = "FAST_PRIORITY_"
DOTENV = ".env"

PATH_LISTS = ("prio_paths", "prio_base_paths", "pass_through")
"""Settings that are lists of paths."""


def variables_of(name: str) -> tuple[str, ...]:
    """Return the variables that set the setting of this name; the first one counts."""
    return (f"{PREFIX}WORKERS", f"{PREFIX}WORKER") if name == "workers" else (f"{PREFIX}{name.upper()}",)


def is_set(value: str | None) -> bool:
    """Return whether a variable of the environment or of `.env` with this value counts as set.

    Compose files and shells often pass on empty variables: these do not count. A list can be emptied with a comma.
    """
    return bool(value)


def dotenv_variables() -> dict[str, str]:
    """Return what the file `.env` of the working directory sets, by names in capitals."""
    found = dotenv_values(DOTENV) if Path(DOTENV).is_file() else {}
    return {name.upper(): value or "" for name, value in found.items()}


def effective_variables() -> dict[str, str]:
    """Return the variables that count, by names in capitals: those of the environment, else those of `.env`."""
    variables: dict[str, str] = {}
    for source in (dotenv_variables(), os.environ):
        variables |= {name.upper(): value for name, value in source.items() if is_set(value)}
    return variables
