"""Settings of the levels: which there are, and whether those of this gateway take the place of others."""

from typing import Any

from pydantic import BaseModel, field_validator

from fast_priority.scheduling.priority import DEFAULT_LEVELS, levels_from
from fast_priority.settings.field import SWITCH, TextList, setting, split


class LevelSettings(BaseModel):
    """The levels."""

    levels: TextList = setting(
        tuple(map(str, DEFAULT_LEVELS)),
        "The levels, the most important first. All gateways on one Redis have the same; the policy file can name them.",
        "2 to 8 names with commas between them, high before low among them, such as high,normal,low",
    )
    policy_change: bool = setting(
        False,
        "Whether this gateway, when it starts, puts its levels in the place of others that are in force.",
        SWITCH,
    )

    @field_validator("levels", mode="before")
    @classmethod
    def _are_levels(cls, value: Any) -> Any:
        names = split(value)
        return tuple(map(str, levels_from(names))) if isinstance(names, tuple | list) else names
