"""The policy file as models: what a rule can say. They check each value; `conditions` makes what is asked of requests.

`Policy.model_validate` needs the names of the levels: `context={"levels": [...], "given": [...]}`. `given` are those of
the variable, or None.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StrictInt,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from fast_priority.scheduling.policy.json_body import pointer_tokens
from fast_priority.scheduling.policy.patterns import check_pattern
from fast_priority.scheduling.policy.tables import NamedText, Table, check_level, nearest
from fast_priority.scheduling.priority import levels_from

MOST_BODY_BYTES = 16 * 1024 * 1024
"""The most that `max_body` can be."""
_MOST_RULES = 1000
_NAME = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$"
_URGENCIES = re.compile(r"([0-7])(?:-([0-7]))?")
LimitsOfFile: TypeAlias = Mapping[str, tuple[int | None, int | None]]
"""By the name of a level: the most requests that may wait, and for how many seconds; None for what is not set."""
_OUTCOMES = ("level", "pass_through", "refuse")
_NEEDS_A_FIELD = {401: "WWW-Authenticate", 405: "Allow", 407: "Proxy-Authenticate", 426: "Upgrade"}

Token = Annotated[str, StringConstraints(strict=True, pattern=_NAME, max_length=256)]
Text = Annotated[str, StringConstraints(strict=True, max_length=8192)]
Pattern = Annotated[Text, AfterValidator(check_pattern)]


def _is_network(written: str) -> str:
    try:
        network = ip_network(written)
    except ValueError as error:
        raise ValueError(f"{written!r} is not an address or a CIDR network ({error})") from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{written!r} is IPv4 in the form of IPv6: write it as IPv4")
    return written


def _is_pointer(written: str) -> str:
    pointer_tokens(written)
    return written


def _is_range(written: str) -> str:
    found = _URGENCIES.fullmatch(written)
    if found is None or (found[2] and found[2] < found[1]):
        raise ValueError(f"{written!r} is not an urgency: write a number from 0 to 7, or a range such as 5-7")
    return written


def _is_scalar(value: Any) -> Any:
    if not isinstance(value, str | bool | int | float):
        raise ValueError("it is not a text, a number, true or false")  # noqa: TRY004 - see tables.py
    return value


Scalar = Annotated[Any, AfterValidator(_is_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Network = Annotated[Text, AfterValidator(_is_network)]
Pointer = Annotated[Text, AfterValidator(_is_pointer)]
Urgencies = Annotated[Text, AfterValidator(_is_range)]


class _Test(Table):
    """A test of a value. Exactly one kind of it can be asked for, but `min` goes with `max`."""

    @model_validator(mode="after")
    def _is_one(self) -> Any:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if len(given) != 1 and given != {"min", "max"}:
            raise ValueError(f"write one of {', '.join(f'`{name}`' for name in type(self).model_fields)}")
        return self


class TextTest(_Test):
    """A test of a text: it starts so, all of it matches an RE2 pattern, or it is there at all, or is not there."""

    starts: Text | None = None
    matches: Pattern | None = None
    present: Literal[True] | None = None
    absent: Literal[True] | None = None


class ValueTest(_Test):
    """A test of a value of JSON: as `TextTest`, and for numbers the least and the greatest."""

    starts: Text | None = None
    matches: Pattern | None = None
    min: Number | None = None
    max: Number | None = None
    present: Literal[True] | None = None
    absent: Literal[True] | None = None


def _kind(value: Any) -> str:
    return "a table" if isinstance(value, dict | Table) else "a list" if isinstance(value, list | tuple) else "a value"


TextCondition = Annotated[
    Annotated[Text, Tag("a value")]
    | Annotated[Annotated[tuple[Text, ...], Field(min_length=1)], Tag("a list")]
    | Annotated[TextTest, Tag("a table")],
    Discriminator(_kind),
]
ValueCondition = Annotated[
    Annotated[Scalar, Tag("a value")]
    | Annotated[Annotated[tuple[Scalar, ...], Field(min_length=1)], Tag("a list")]
    | Annotated[ValueTest, Tag("a table")],
    Discriminator(_kind),
]


class Rule(Table):
    """One rule: all its conditions must hold. Exactly one of `level`, `pass_through` and `refuse` says what follows."""

    later: ClassVar[frozenset[str]] = frozenset({"ttl", "keep_alive", "declined", "headers"})

    name: NamedText = Field(description="A name of its own, for messages and `fast-priority explain`.")
    path: Text | None = Field(None, description="The whole path.")
    path_prefix: Text | None = Field(None, description="The beginning of the path; /v1/ is /v1 and all below it.")
    method: tuple[Token, ...] | None = Field(None, min_length=1, description="One of these methods, in capitals.")
    header: dict[Token, TextCondition] | None = Field(None, min_length=1, description="Fields of the request.")
    query: dict[Text, TextCondition] | None = Field(None, min_length=1, description="Parts of the query.")
    client: tuple[Network, ...] | None = Field(
        None,
        min_length=1,
        description="Addresses or CIDR networks of the client, as FAST_PRIORITY_TRUSTED_PROXIES yields.",
    )
    key: tuple[NamedText, ...] | None = Field(None, min_length=1, description="Names of keys in the keys file.")
    body: dict[Pointer, ValueCondition] | None = Field(
        None, min_length=1, description="Values in the JSON body, by JSON Pointer (RFC 6901)."
    )
    urgency: Urgencies | None = Field(None, description="Urgencies of the field Priority (RFC 9218), such as 5-7.")
    trusted: Literal[True] | None = Field(None, description="Only requests that a trusted proxy forwards.")
    level: NamedText | None = Field(None, description="The level at which the request waits.")
    pass_through: Literal[True] | None = Field(None, description="The request skips the queue.")
    refuse: StrictInt | None = Field(None, description="The request gets this status, 400 to 499.")
    errors: Literal["openai", "problem"] = Field("problem", description="The form of the gateway's own errors.")

    @field_validator("path", "path_prefix")
    @classmethod
    def _begins_with_a_slash(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith("/") or not value.isprintable() or set("?#") & set(value)):
            raise ValueError(f"{value!r} is not a path: write it with a slash first, and without a query")
        if value is not None and "*" in value:
            raise ValueError(f"{value!r} has a *, and a path is not a pattern: write `path_prefix`, or %2A for a *")
        return value

    @field_validator("method")
    @classmethod
    def _are_in_capitals(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for method in value or ():
            if method != method.upper():
                raise ValueError(f"{method!r} is not in capitals: write {method.upper()}")
        return value

    @field_validator("level")
    @classmethod
    def _is_a_level(cls, value: str | None, info: Any) -> str | None:
        return value if value is None else check_level(value, info)

    @field_validator("refuse")
    @classmethod
    def _is_a_status(cls, value: int | None) -> int | None:
        if value is not None and not 400 <= value <= 499:
            raise ValueError(f"{value} is not a status from 400 to 499")
        if value in _NEEDS_A_FIELD:
            raise ValueError(f"a {value} needs the field {_NEEDS_A_FIELD[value]}: write another status, such as 403")
        return value

    @model_validator(mode="after")
    def _has_one_outcome(self) -> "Rule":
        given = [f"`{name}`" for name in _OUTCOMES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) + " are there" if given else "there is none"
            raise ValueError(f"a rule has exactly one of `level`, `pass_through` and `refuse`: {found}")
        if self.path is not None and self.path_prefix is not None:
            raise ValueError("a rule has `path` or `path_prefix`: both are there")
        return self


class LevelEntry(Table):
    """The limits of one level. What is not set is as for the other levels, or as the settings of high and low say."""

    later: ClassVar[frozenset[str]] = frozenset({"max_in_flight", "share"})

    max_queued: StrictInt | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Size limit of its queue, in requests. Not set: as the settings say.",
    )
    ttl: StrictInt | None = Field(
        None, ge=1, le=604_800, description="Time limit in seconds for its requests in the queue. Not set: TTL."
    )


class PolicyFile(Table):
    """The policy file: the levels, and an ordered list of rules. The first rule that matches a request decides."""

    later: ClassVar[frozenset[str]] = frozenset({"fair", "rate", "busy"})

    max_body: StrictInt = Field(
        64 * 1024, ge=1, le=MOST_BODY_BYTES, description="The longest body, in bytes, that conditions look at."
    )
    levels: tuple[NamedText, ...] | None = Field(
        None, description="The levels, the most important first. Not set: those of FAST_PRIORITY_LEVELS."
    )
    level: dict[NamedText, LevelEntry] = Field({}, description="The limits of levels, by name.")
    rule: tuple[Rule, ...] = Field((), max_length=_MOST_RULES, description="The rules, in order.")

    @field_validator("levels")
    @classmethod
    def _are_levels(cls, value: tuple[str, ...] | None, info: Any) -> tuple[str, ...] | None:
        given = (info.context or {}).get("given")
        if value is not None and levels_from(value) != (given or value) and given:
            raise ValueError(
                f"here are {','.join(value)}, and FAST_PRIORITY_LEVELS={','.join(given)}: write them in one place only"
            )
        return value

    @field_validator("level")
    @classmethod
    def _are_known(cls, value: dict[str, LevelEntry], info: Any) -> dict[str, LevelEntry]:
        for level in value:
            check_level(level, info)
        return value

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> "PolicyFile":
        names: set[str] = set()
        for number, rule in enumerate(self.rule, start=1):
            if rule.name in names:
                raise ValueError(f"rule {number} has the name of another rule, {rule.name!r}: write another one")
            names.add(rule.name)
        return self

    @property
    def limits(self) -> LimitsOfFile:
        """The limits of levels, for those that have any."""
        return {name: (entry.max_queued, entry.ttl) for name, entry in self.level.items()}

    def check_keys(self, names: list[str]) -> list[str]:
        """Return what is wrong with the names of keys in the rules, a line for each; `names` are the keys' own."""
        return [
            f"rule {number} {rule.name!r}: key: `{key}` is not in the keys file: {nearest(key, names)}"
            for number, rule in enumerate(self.rule, start=1)
            for key in rule.key or ()
            if key not in names
        ]


def networks_of(written: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of a rule."""
    return tuple(map(ip_network, written))
