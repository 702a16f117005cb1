"""The texts of the policy file and of the keys file, read into models and checked as a pair. Pure.

Each problem is a line that names the file, the rule or key, and what to write instead.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, StrictBool, StringConstraints, ValidationError, field_validator, model_validator

from fast_priority.errors import ConfigurationError
from fast_priority.scheduling.policy.decision import Policy
from fast_priority.scheduling.policy.key_ring import Key, KeyRing
from fast_priority.scheduling.policy.path_names import PathStyle
from fast_priority.scheduling.policy.rule_file import LimitsOfFile, PolicyFile, Token
from fast_priority.scheduling.policy.tables import NamedText, Table, check_level, nearest
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority, levels_from
from fast_priority.scheduling.rules import RequestFacts

_MOST_KEYS = 10_000
_LOGGED_FIELD = "x-request-id"
_MOST_LINES = 20
_NOT_PLACES = {"a value", "a list", "a table", "[key]"}  # what pydantic adds to the place of an error
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PLAIN_REASONS = {
    "missing": "it is missing",
    "too_short": "it is empty: write at least one, or leave it out",
    "string_pattern_mismatch": "it is not a name that can stand here",
    "tuple_type": 'it has to be a list, such as ["..."]',
    "string_type": 'it has to be a text, such as "..."',
}
File = TypeVar("File", bound=Table)


class KeyEntry(Table):
    """One key. The file has its SHA-256 and not the key itself: `fast-priority key NAME` makes both."""

    later: ClassVar[frozenset[str]] = frozenset({"max_in_flight", "max_queued"})

    name: NamedText = Field(description="A name of its own, for rules and messages.")
    sha256: Annotated[str, StringConstraints(strict=True)] = Field(description="SHA-256 of the key, 64 hex digits.")
    highest: NamedText | None = Field(None, description="The highest level for its requests. Not set: the first level.")
    forward: StrictBool = Field(True, description="Whether the target gets the field with the key.")

    @field_validator("sha256")
    @classmethod
    def _is_a_digest(cls, value: str) -> str:
        if not _DIGEST.fullmatch(value.lower()):
            # The value is not shown: it may be the key itself.
            raise ValueError("it is not 64 hex digits: write the entry that `fast-priority key NAME` prints")
        return value.lower()

    @field_validator("highest")
    @classmethod
    def _is_a_level(cls, value: str | None, info: Any) -> str | None:
        return value if value is None else check_level(value, info)


class KeysFile(Table):
    """The keys file: who is known, and what those may do who are not."""

    keyless_highest: NamedText | None = Field(
        None, description="The highest level for requests without a known key. Not set: the last level."
    )
    unknown: Literal["cap", "refuse"] = Field("cap", description="refuse: requests without a known key get 401.")
    field: Token | None = Field(None, description="The field that has the key. Not set: Authorization: Bearer.")
    key: tuple[KeyEntry, ...] = Field((), max_length=_MOST_KEYS, description="The keys.")

    @field_validator("field")
    @classmethod
    def _is_not_logged(cls, value: str | None) -> str | None:
        if value is not None and value.lower() == _LOGGED_FIELD:
            raise ValueError(f"{value!r} is the name of a request, which logs show: let another field have the key")
        return value

    @field_validator("keyless_highest")
    @classmethod
    def _is_a_level(cls, value: str | None, info: Any) -> str | None:
        return value if value is None else check_level(value, info)

    @model_validator(mode="after")
    def _differ(self) -> "KeysFile":
        names: set[str] = set()
        digests: set[str] = set()
        for number, key in enumerate(self.key, start=1):
            if key.name in names:
                raise ValueError(f"key {number} has the name of another key, {key.name!r}: write another one")
            if key.sha256 in digests:
                raise ValueError(f"key {number} {key.name!r} is the same key as another one: remove one of them")
            names.add(key.name)
            digests.add(key.sha256)
        return self


def policy_of(
    policy: tuple[str, str] | None,
    keys: tuple[str, str] | None,
    by_path: Callable[[RequestFacts], str | None],
    given: Sequence[str] | None,
    style: PathStyle,
) -> Policy:
    """Return the policy of two files, each as its name and its text; None: there is no such file.

    `given` are the levels that the settings name; None: those of the policy file, else high and low.

    Raises ConfigurationError, with a line for each problem, at most 20.
    """
    problems: list[str] = []
    context = _context(policy, given)
    levels = context["levels"]
    policy_file = _read(PolicyFile, "rule", policy, context, problems)
    keys_file = _read(KeysFile, "key", keys, context, problems)
    if policy is not None and policy_file is not None and (keys is None or keys_file is not None):
        names = [key.name for key in keys_file.key] if keys_file is not None else []
        problems += [f"{policy[0]}: {problem}" for problem in policy_file.check_keys(names)]
    if problems:
        raise ConfigurationError("\n".join(problems[:_MOST_LINES]))
    ring = None if keys_file is None else _ring_of(keys_file, levels)
    return Policy(policy_file or PolicyFile.model_validate({}), ring, by_path, levels, style)


def levels_of(policy: tuple[str, str], given: Sequence[str] | None) -> tuple[tuple[Priority, ...], LimitsOfFile]:
    """Return the levels of a policy file, by its name and text, and the limits that it has for some of them.

    Raises ConfigurationError if the file cannot be used.
    """
    problems: list[str] = []
    context = _context(policy, given)
    file = _read(PolicyFile, "rule", policy, context, problems)
    if file is None:
        raise ConfigurationError("\n".join(problems[:_MOST_LINES]))
    return tuple(map(Priority, context["levels"])), file.limits


def _context(policy: tuple[str, str] | None, given: Sequence[str] | None) -> dict[str, Any]:
    """Return what the models have to know: the levels that the variable names, and those that there are."""
    levels: Sequence[str] = given or DEFAULT_LEVELS
    if policy is not None and given is None:
        with suppress(ValueError, TypeError):  # the model says what is wrong with them
            levels = levels_from(tomllib.loads(policy[1]).get("levels", levels))
    return {"levels": tuple(levels), "given": None if given is None else tuple(given)}


def _ring_of(file: KeysFile, levels: Sequence[str]) -> KeyRing:
    keys = [Key(one.name, one.sha256, one.highest or levels[0], one.forward) for one in file.key]
    lowest = file.keyless_highest or levels[-1]
    field = None if file.field is None else file.field.lower().encode()
    return KeyRing(keys, lowest, refuses_unknown=file.unknown == "refuse", field=field)


def _read(
    model: type[File], item: str, file: tuple[str, str] | None, context: dict[str, Any], problems: list[str]
) -> File | None:
    if file is None:
        return None
    name, text = file
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{name}: it is not TOML: {error}")
        return None
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        found = error.errors(include_url=False)
        # A list whose only item is bad also counts as empty: that would be a second line about it.
        inner = {problem["loc"][:-1] for problem in found}
        shown = [problem for problem in found if problem["type"] != "too_short" or problem["loc"] not in inner]
        problems += [f"{name}: {_explained(problem, item, data)}" for problem in shown]
        return None


def _explained(problem: Any, item: str, data: Any) -> str:
    """Return where a problem is and what it is, without the value: it may be a secret."""
    reason = re.sub(r"^Value error, ", "", problem["msg"])
    reason = reason[:1].lower() + reason[1:]
    place = [part for part in problem["loc"] if part not in _NOT_PLACES]
    shown = []
    if place[:1] == [item] and len(place) > 1 and isinstance(place[1], int):
        shown.append(_numbered(item, place[1], data))
        place = place[2:]
    if place:
        shown.append(_joined(place))
    if problem["type"] == "literal_error":
        reason = _about_choice(problem)
    reason = _PLAIN_REASONS.get(problem["type"], reason)
    return ": ".join([*shown, reason])


def _about_choice(problem: Any) -> str:
    words = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
    if not words:
        return "it can only be true: write true, or leave it out"
    return f"{str(problem['input'])[:40]!r} is unknown: {nearest(str(problem['input']), words)}"


def _numbered(item: str, at: int, data: Any) -> str:
    entry = data[item][at]
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{item} {at + 1}" + (f" {name[:100]!r}" if isinstance(name, str) else "")


def _joined(place: Iterable[Any]) -> str:
    return ".".join(str(part) if isinstance(part, str) else f"item {part + 1}" for part in place)
