"""One setting as a field of the model: its default, what it means, and what values it takes."""

from typing import Annotated, Any, TypeAlias

from pydantic import Field
from pydantic_settings import NoDecode

TextList: TypeAlias = Annotated[tuple[str, ...], NoDecode]
"""A tuple of texts, which a variable has with commas between them."""

SECONDS = "a number of seconds from 0.1 to 86400"
SWITCH = "1, true, yes or on; 0, false, no or off"
PORT = "a port from 1 to 65535"


def setting(default: Any, meaning: str, takes: str, **limits: Any) -> Any:
    """Return a field. `meaning` is printed by `fast-priority config`; an error about a bad value ends in `takes`."""
    return Field(default, description=meaning, json_schema_extra={"takes": takes}, **limits)


def seconds(default: float, meaning: str) -> Any:
    """Return a field for a duration from 0.1 seconds to a day."""
    return setting(default, meaning, SECONDS, ge=0.1, le=86_400)


def count(default: int, meaning: str, most: int) -> Any:
    """Return a field for a whole number from 1 to `most`."""
    return setting(default, meaning, f"a whole number from 1 to {most}", ge=1, le=most)


def split(value: Any) -> Any:
    """Return the parts of a text between its commas; a value that is no text is returned as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
