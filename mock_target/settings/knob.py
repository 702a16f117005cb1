"""A knob: one part of the mock's behaviour that can be set. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class KnobError(ValueError):
    """A parameter has an invalid value: `parameter`, `value`, and a `hint` that says what to write instead."""

    def __init__(self, parameter: str, value: str, hint: str) -> None:
        super().__init__(f"{parameter} is {value!r}: {hint}")
        self.parameter = parameter
        self.value = value
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting, with the `name` that it has in JSON.

    `parse` converts text to a value and raises ValueError with the hint; `default` is such a text, or None: not set.
    `per_request` says whether a request or a route may set it, or only the settings of the whole mock. `choices` are
    the possible values, if they are few.
    """

    name: str
    group: str
    parse: Callable[[str], object]
    meaning: str
    example: str
    default: str | None = None
    per_request: bool = True
    choices: tuple[str, ...] = ()

    @property
    def parameter(self) -> str:
        """The query parameter that sets it for one request."""
        return f"mock_{self.name}"

    @property
    def field(self) -> str:
        """The request field that sets it for one request."""
        return f"X-Mock-{self.name.replace('_', '-').title()}"


def read_value(parse: Callable[[str], T], text: str, label: str) -> T:
    """Return the value that a knob's `parse` reads. Raises KnobError, with `label` as the parameter."""
    try:
        return parse(text)
    except ValueError as error:
        raise KnobError(label, text, str(error)) from None


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most similar to this one."""
    names = list(known)
    return (get_close_matches(name, names, 1, 0.0) or names)[0]
