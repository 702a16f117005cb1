"""Warnings about values that can be used, but probably do not mean what they seem to."""

from collections.abc import Iterator, Mapping
from typing import Any

from fast_priority.settings.environment import PATH_LISTS, effective_variables, variables_of
from fast_priority.settings.field import split
from fast_priority.settings.path_texts import doubts_about
from fast_priority.settings.workers import clamped_poll_interval, means_no, whole_number

_SINGLE_PATHS = ("doc_path", "redoc_path", "health_path")


def warnings_about_values(given: Mapping[str, Any]) -> list[str]:
    """Return the warnings about the values in force; those in `given`, by names of settings, win over variables."""
    return [warning for doubts in (_about_paths, _about_poll_interval, _about_workers) for warning in doubts(given)]


def value_in_force(name: str, given: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the variable that sets a setting, and its value; None if nothing sets it."""
    if given.get(name) is not None:
        return variables_of(name)[0], given[name]
    variables = effective_variables()
    for variable in variables_of(name):
        if variable in variables:
            return variable, variables[variable]
    return variables_of(name)[0], None


def _about_paths(given: Mapping[str, Any]) -> Iterator[str]:
    for name in (*PATH_LISTS, *_SINGLE_PATHS):
        variable, value = value_in_force(name, given)
        paths = (split(value) if name in PATH_LISTS else (value,)) if isinstance(value, str) else ()
        for path in paths:
            if doubt := doubts_about(path, is_beginning=name == "prio_base_paths"):
                yield f"{variable}: {path!r} {doubt}"


def _about_poll_interval(given: Mapping[str, Any]) -> Iterator[str]:
    variable, value = value_in_force("poll_interval", given)
    used = clamped_poll_interval(value)
    if isinstance(used, float) and used != float(value):
        yield f"{variable}={value} is outside of 0.05 to 60 seconds: {used:g} is used"


def _about_workers(given: Mapping[str, Any]) -> Iterator[str]:
    variable, value = value_in_force("workers", given)
    if isinstance(value, str) and whole_number(value) is None and not means_no(value):
        yield f"{variable}={value!r} is no whole number and counts as one worker process: set it to a number"
