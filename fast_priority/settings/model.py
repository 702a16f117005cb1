"""All settings, in one frozen model that is built once and passed on.

Nothing else in the package reads the environment. A value is taken from the arguments of `Settings.load`, else from
the environment, else from the file `.env`, else from the defaults.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from fast_priority.errors import ConfigurationError
from fast_priority.http.message import TargetPolicy
from fast_priority.scheduling.level_table import LevelLimits, LevelTable
from fast_priority.scheduling.priority import Priority
from fast_priority.settings.clients import ClientSettings
from fast_priority.settings.dotenv_file import find_dotenv
from fast_priority.settings.environment import (
    PREFIX,
    dotenv_variables,
    is_from_dotenv,
    is_set,
    names_from_dotenv,
    variables_of,
)
from fast_priority.settings.levels import LevelSettings
from fast_priority.settings.observability import ObservabilitySettings
from fast_priority.settings.pages import PageSettings
from fast_priority.settings.policy import PolicySettings
from fast_priority.settings.queue import QueueSettings
from fast_priority.settings.redis import RedisSettings
from fast_priority.settings.target import TargetSettings
from fast_priority.settings.workers import WorkerSettings

_DRAIN_GRACE_SECONDS = 5.0  # more than the time in which a request can be answered


# The fields stand in the order of the last base class first.
class Settings(
    ObservabilitySettings,
    PageSettings,
    RedisSettings,
    ClientSettings,
    WorkerSettings,
    PolicySettings,
    LevelSettings,
    QueueSettings,
    TargetSettings,
    BaseSettings,
):
    """The settings of gateway and workers; each field has a description.

    The environment variable `FAST_PRIORITY_X` sets the field `x`. Durations are in seconds, sizes in bytes.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    _from_dotenv: frozenset[str] = PrivateAttr(frozenset())
    _dotenv_path: Path | None = PrivateAttr(None)

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Build the settings; `overrides` win over the environment, and None among them counts as not given.

        Raises ConfigurationError with one line for each bad value, which names the variable, its value and what it
        takes.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            settings = cls(**given)
        except ValidationError as error:
            raise ConfigurationError("\n".join(_explained(problem) for problem in error.errors())) from None
        settings._from_dotenv = names_from_dotenv(set(cls.model_fields) - set(given))
        settings._dotenv_path = find_dotenv().path
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the arguments, the environment and `.env`, and nothing else."""
        file = {name.lower(): value for name, value in dotenv_variables().items()}
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                variables = file if source is dotenv_settings else source.env_vars
                source.env_vars = {name: value for name, value in variables.items() if is_set(name, value)}
        return init_settings, env_settings, dotenv_settings

    @model_validator(mode="after")
    def _redis_is_one(self) -> Self:
        _ = self.redis_address
        return self

    @property
    def note_on_dotenv(self) -> str:
        """What the start line adds: which `.env` has set something, and whether it makes this a worker. Maybe empty."""
        if not self._from_dotenv:
            return ""
        role = f", {variables_of('workers')[0]} among them" if "workers" in self._from_dotenv else ""
        return f", with settings from {self._dotenv_path}{role}"

    @property
    def drain_seconds(self) -> float:
        """How long a gateway that ends may go on answering the requests that it has."""
        if self.drain_timeout:
            return self.drain_timeout
        return self.level_table().longest_ttl_seconds + self.timeout + _DRAIN_GRACE_SECONDS

    @property
    def given_levels(self) -> tuple[str, ...] | None:
        """The levels that FAST_PRIORITY_LEVELS names; None if it is not set."""
        return self.levels if "levels" in self.model_fields_set else None

    def level_table(self) -> LevelTable:
        """Return the levels and their limits, from the policy file as well.

        Raises ConfigurationError if the file cannot be used.
        """
        text = self.policy_text()
        if text is None:
            return self.level_table_with(tuple(map(Priority, self.levels)), {})
        # Loaded only where there is a file: its models take long to build.
        from fast_priority.scheduling.policy import levels_of

        return self.level_table_with(*levels_of(text, self.given_levels))

    def level_table_with(
        self, levels: tuple[Priority, ...], of_file: Mapping[str, tuple[int | None, int | None]]
    ) -> LevelTable:
        """Return these levels with the limits of a policy file, and for the others with those of the settings."""
        limits, of_others = self.limits_of_levels()
        for level, (max_queued, ttl_seconds) in of_file.items():
            before = limits.get(level, of_others)
            limits[level] = LevelLimits(max_queued or before.max_queued, ttl_seconds or before.ttl_seconds)
        return LevelTable(levels, limits, of_others)

    def target_policy(self) -> TargetPolicy:
        """Return the policy of the target. Raises ConfigurationError if no target is set."""
        if self.target_base_url is None:
            raise ConfigurationError(
                f"{PREFIX}TARGET_BASE_URL is not set: set it, or --target of `fast-priority gateway`, to the URL of "
                "the API behind the gateway, such as http://api:8080"
            )
        return TargetPolicy(self.target_base_url, self.connect_timeout, self.timeout, self.max_body)


def _takes(name: str) -> str:
    extra = Settings.model_fields[name].json_schema_extra
    return str(extra["takes"]) if isinstance(extra, dict) else "another value"


def _explained(problem: Any) -> str:
    """Return one line about a bad value, without any secret."""
    location, reason = problem["loc"], re.sub(r"^Value error, ", "", problem["msg"])
    if not location:
        return reason
    name = str(location[0]).lower().removeprefix(PREFIX.lower())
    name = "workers" if name == "worker" else name
    shown = repr(_without_secrets(problem["input"]) if name == "target_base_url" else problem["input"])
    shown = "'***'" if SecretStr in get_args(Settings.model_fields[name].annotation) else shown
    reason = reason[0].lower() + reason[1:]
    variable = f"{PREFIX}{name.upper()}"
    where = f" in {find_dotenv().name}" if is_from_dotenv(name) else ""
    return f"{variable}={shown}{where} cannot be used ({reason}): set it to {_takes(name)}"


def _without_secrets(value: Any) -> Any:
    # The part before an @ may be a password, and the part after a ? a token.
    return re.sub(r"(?s)\?.*", "?***", re.sub(r"(?s)(//)?.*@", r"\1***@", value)) if isinstance(value, str) else value
