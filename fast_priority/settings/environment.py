"""Where the values of settings come from: variables of the environment, and the file `.env`."""

import os
import re
from pathlib import Path

from dotenv import dotenv_values

PREFIX = "FAST_PRIORITY_"
DOTENV = ".env"

PATH_LISTS = ("prio_paths", "prio_base_paths", "pass_through")
"""Settings that are lists of paths."""

_OF_A_SERVICE = re.compile(
    r"_SERVICE_HOST\Z|_SERVICE_PORT(?:_[A-Z0-9_]+)?\Z|_PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?\Z"
)
_LINK = re.compile(r"(?:tcp|udp|sctp)://", re.IGNORECASE)


def variables_of(name: str) -> tuple[str, ...]:
    """Return the variables that set the setting of this name; the first one counts."""
    return (f"{PREFIX}WORKERS", f"{PREFIX}WORKER") if name == "workers" else (f"{PREFIX}{name.upper()}",)


def is_set(variable: str, value: str | None) -> bool:
    """Return whether a variable of the environment or of `.env` counts as set.

    Compose files and shells often pass on empty variables: these do not count. A list can be emptied with a comma.
    """
    return bool(value) and not is_of_kubernetes(variable, value or "")


def is_of_kubernetes(variable: str, value: str) -> bool:
    """Return whether a variable describes a Service: Kubernetes sets such variables in the pods beside it.

    A Service `fast-priority-redis` makes `FAST_PRIORITY_REDIS_PORT=tcp://10.0.0.1:6379` and others.
    """
    name = variable.upper()
    if not name.startswith(PREFIX):
        return False
    return bool(_OF_A_SERVICE.search(name) or (name.endswith("_PORT") and _LINK.match(value)))


def dotenv_variables() -> dict[str, str]:
    """Return what the file `.env` of the working directory sets, by names in capitals."""
    found = dotenv_values(DOTENV) if Path(DOTENV).is_file() else {}
    return {name.upper(): value or "" for name, value in found.items()}


def effective_variables() -> dict[str, str]:
    """Return the variables that count, by names in capitals: those of the environment, else those of `.env`."""
    variables: dict[str, str] = {}
    for source in (dotenv_variables(), os.environ):
        variables |= {name.upper(): value for name, value in source.items() if is_set(name, value)}
    return variables
