"""What a knob is: one thing that can be set of the mock's behaviour. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class KnobError(ValueError):
    """Says which parameter has a value that cannot be: `parameter`, `value`, and how to `mend` it."""

    def __init__(self, parameter: str, value: str, mend: str) -> None:
        super().__init__(f"{parameter} is {value!r}: {mend}")
        self.parameter = parameter
        self.value = value
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that can be set, under the `name` it has in JSON.

    `parse` reads a value from text and raises ValueError with the mend; `default` is such a text, or None: not set.
    `per_request` says whether a request or a route may set it, or only the settings of the whole mock. `choices` are
    the values where there are few.
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


def read_value(parse: Callable[[str], T], text: str, called: str) -> T:
    """Read a value with a knob's `parse`. Raises KnobError, which calls the value `called`."""
    try:
        return parse(text)
    except ValueError as error:
        raise KnobError(called, text, str(error)) from None


def name_nearest(name: str, known: Iterable[str]) -> str:
    """Give the known name that looks most like this one."""
    names = list(known)
    return (get_close_matches(name, names, 1, 0.0) or names)[0]
