"""Where the values of settings come from: variables of the environment, and the file `.env`."""

import os
import re
from collections.abc import Iterable, Mapping

from fast_priority.settings.dotenv_file import find_dotenv

PREFIX = "FAST_PRIORITY_"

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


def dotenv_variables() -> Mapping[str, str]:
    """Return what the file `.env` sets, by names in capitals. Raises ConfigurationError if it cannot be read."""
    return find_dotenv().variables


def effective_variables() -> dict[str, str]:
    """Return the variables that count, by names in capitals: those of the environment, else those of `.env`."""
    variables: dict[str, str] = {}
    for source in (dotenv_variables(), os.environ):
        variables |= {name.upper(): value for name, value in source.items() if is_set(name, value)}
    return variables


def is_from_dotenv(name: str) -> bool:
    """Return whether the file `.env` sets the setting of this name, and the environment does not."""
    return bool(names_from_dotenv([name]))


def names_from_dotenv(names: Iterable[str]) -> frozenset[str]:
    """Return the settings among these that the file `.env` sets, and the environment does not."""
    found, environment = dotenv_variables(), {known.upper(): value for known, value in os.environ.items()}

    def sets(source: Mapping[str, str], name: str) -> bool:
        return any(is_set(each, source.get(each)) for each in variables_of(name))

    return frozenset(name for name in names if sets(found, name) and not sets(environment, name))
