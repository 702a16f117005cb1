"""All settings, in one frozen model that is built once and passed on.

Nothing else in the package reads the environment. A value is taken from the arguments of `Settings.load`, else from
the environment, else from the file `.env` of the working directory, else from the defaults.
"""

import os
import re
from typing import Any, Self, get_args

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from fast_priority.errors import ConfigurationError
from fast_priority.http.message import TargetPolicy
from fast_priority.settings.clients import ClientSettings
from fast_priority.settings.environment import DOTENV, PREFIX, dotenv_variables, is_set
from fast_priority.settings.pages import PageSettings
from fast_priority.settings.queue import QueueSettings
from fast_priority.settings.redis import RedisSettings
from fast_priority.settings.target import TargetSettings
from fast_priority.settings.workers import WorkerSettings

_DRAIN_GRACE_SECONDS = 5.0  # more than the time in which a request can be answered


# The fields stand in the order of the last base class first.
class Settings(
    PageSettings, RedisSettings, ClientSettings, WorkerSettings, QueueSettings, TargetSettings, BaseSettings
):
    """The settings of gateway and workers; each field has a description.

    The environment variable `FAST_PRIORITY_X` sets the field `x`. Durations are in seconds, sizes in bytes.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=DOTENV,
        env_file_encoding="utf-8",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Build the settings; `overrides` win over the environment, and None among them counts as not given.

        Raises ConfigurationError with one line for each bad value, which names the variable, its value and what it
        takes.
        """
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            raise ConfigurationError("\n".join(_explained(problem) for problem in error.errors())) from None

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
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = {name: value for name, value in source.env_vars.items() if is_set(name, value)}
        return init_settings, env_settings, dotenv_settings

    @model_validator(mode="after")
    def _redis_is_one(self) -> Self:
        _ = self.redis_address
        return self

    @property
    def drain_seconds(self) -> float:
        """How long a gateway that ends may go on answering the requests that it has."""
        return self.drain_timeout or self.ttl + self.timeout + _DRAIN_GRACE_SECONDS

    def target_policy(self) -> TargetPolicy:
        """Return the policy of the target. Raises ConfigurationError if no target is set."""
        if self.target_base_url is None:
            raise ConfigurationError(
                f"{PREFIX}TARGET_BASE_URL is not set: set it, or --target, to the URL of the API behind the gateway, "
                "such as http://api:8080"
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
    where = "" if is_set(variable, os.environ.get(variable)) or variable not in dotenv_variables() else f" in {DOTENV}"
    return f"{variable}={shown}{where} cannot be used ({reason}): set it to {_takes(name)}"


def _without_secrets(value: Any) -> Any:
    # The part before an @ may be a password, and the part after a ? a token.
    return re.sub(r"(?s)\?.*", "?***", re.sub(r"(?s)(//)?.*@", r"\1***@", value)) if isinstance(value, str) else value
