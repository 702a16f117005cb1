"""What the tables of the policy file and of the keys file have in common: words that are unknown are errors. Pure."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationInfo, model_validator

NamedText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name that fits into one line of a log."""


class Table(BaseModel):
    """A table of a file. Raises ValueError for a word that it does not know, with the nearest one that it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    later: ClassVar[frozenset[str]] = frozenset()
    """Words of later versions."""

    @model_validator(mode="before")
    @classmethod
    def _knows_all_words(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValueError("it has to be a table")  # noqa: TRY004 - pydantic turns only ValueError into its own error
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for word in map(str, data):
            if word in cls.later:
                raise ValueError(f"this version does not know `{word}` yet: remove it")
            if word not in known:
                raise ValueError(f"`{word}` is unknown: {nearest(word, known)}")
        return data


def nearest(word: str, known: Iterable[str]) -> str:
    """Return which of the known words is probably meant, or all of them."""
    words = list(known)
    found = difflib.get_close_matches(word, words, n=1)
    if found:
        return f"did you mean `{found[0]}`?"
    return "there are " + ", ".join(f"`{one}`" for one in words) if words else "there are none"


def check_level(level: str, info: ValidationInfo) -> str:
    """Return the level. Raises ValueError if it is not one of the levels in the context of the validation."""
    levels: Iterable[str] = (info.context or {})["levels"]
    if level not in levels:
        raise ValueError(f"`{level}` is not a level: {nearest(level, levels)}")
    return level
