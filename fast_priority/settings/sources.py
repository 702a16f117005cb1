"""Where the current values come from, and which variables of the environment nothing reads."""

import difflib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fast_priority.errors import ConfigurationError
from fast_priority.settings.dotenv_file import find_dotenv
from fast_priority.settings.doubts import warnings_about_values
from fast_priority.settings.environment import (
    PREFIX,
    effective_variables,
    is_from_dotenv,
    is_of_kubernetes,
    is_set,
    variables_of,
)
from fast_priority.settings.model import Settings


@dataclass(frozen=True, slots=True)
class SettingSource:
    """One setting: its variable, its current value as text with secrets masked, its source, and its meaning."""

    variable: str
    value: str
    source: str
    meaning: str


def origins(settings: Settings) -> list[SettingSource]:
    """Return for every setting its current value, and where it comes from."""
    environment = {name.upper() for name, value in os.environ.items() if is_set(name, value)}
    file = f"file {find_dotenv().name}"
    found = []
    for name, field in type(settings).model_fields.items():
        variables = variables_of(name)
        if environment.intersection(variables):
            source = "environment"
        elif is_from_dotenv(name):
            source = file
        else:
            source = "default"
        value = getattr(settings, name)
        if name == "levels" and source == "default":
            value, source = _levels_of(settings)
        found.append(SettingSource(variables[0], _shown(value), source, field.description or ""))
    return found


def _levels_of(settings: Settings) -> tuple[tuple[str, ...], str]:
    """Return the levels where no variable names them, and their source."""
    with suppress(ConfigurationError):  # a gateway does not start with such a file, and says why
        levels = settings.level_table().levels
        if levels != settings.levels:
            return levels, f"file {settings.policy_file}"
    return settings.levels, "default"


def reason_of_role(settings: Settings) -> str:
    """Return why these settings make a gateway or a worker of `run-fast-priority`, for a reader."""
    variables = variables_of("workers")
    if settings.workers is None:
        return f"{variables[0]} is not set"
    found = effective_variables()
    variable = next((name for name in variables if name in found), variables[0])
    shown = settings.workers if settings.workers.isdecimal() else repr(settings.workers)
    source = find_dotenv().name if is_from_dotenv("workers") else "the environment"
    return f"{variable}={shown} from {source}"


def variables_of_kubernetes(environment: Mapping[str, str]) -> list[str]:
    """Return one warning for all variables that Kubernetes sets for Services with names like ours."""
    found = sorted(name.upper() for name, value in environment.items() if is_of_kubernetes(name, value))
    if not found:
        return []
    subject = f"{found[0]} is" if len(found) == 1 else f"{found[0]} and {len(found) - 1} more variables are"
    them = "it" if len(found) == 1 else "them"
    return [
        f"{subject} ignored: Kubernetes sets {them} for Services, unless enableServiceLinks is false in a pod's spec"
    ]


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return one warning for each FAST_PRIORITY_* variable that nothing reads, with the nearest known name."""
    known = sorted(variable for name in Settings.model_fields for variable in variables_of(name))
    warnings = []
    named = {name.upper() for name, value in environment.items() if not is_of_kubernetes(name, value)}
    for variable in sorted(named):
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(
                variable.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in known], n=1
            )
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else "; `fast-priority config` lists the known ones"
            warnings.append(f"{variable} is not a setting of Fast Priority and is ignored{hint}")
    return warnings


def warnings_about_environment(**given: Any) -> list[str]:
    """Return the warnings about the environment and the `.env` of this process.

    `given` are values, by names of settings, that win over both, as in `Settings.load`.
    """
    dotenv = find_dotenv()
    variables = {**dotenv.variables, **os.environ}
    refused = [dotenv.warning] if dotenv.warning else []
    return [*refused, *variables_of_kubernetes(variables), *unknown_variables(variables), *warnings_about_values(given)]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return ",".join(value) or "(none)"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
