"""Every environment variable, in one frozen model that is built once and handed in.

Nothing else in the package reads the environment. A value is looked for in the arguments of `Settings.load`, then in
the environment, then in the file `.env` of the working directory, then among the defaults.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Self, get_args
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, FilePath, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from fast_priority.errors import ConfigurationError
from fast_priority.http.message import TargetPolicy
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Listing, PathCase, Rules
from fast_priority.settings.redis_address import RedisAddress, parse_redis_url, parse_sentinel

PREFIX = "FAST_PRIORITY_"
DOTENV = ".env"
GATEWAY_OPENAPI_PATH = "/gateway_openapi.json"
_NO = {"false", "no", "off", "none", "null"}
_LEAST_BODY_LIMIT_BYTES = 1024
_DRAIN_GRACE_SECONDS = 5.0  # over the longest that an answer can take


def _setting(default: Any, meaning: str, takes: str, **limits: Any) -> Any:
    return Field(default, description=meaning, json_schema_extra={"takes": takes}, **limits)


_PATH_LISTS = {f"{PREFIX}{name}".lower() for name in ("prio_paths", "prio_base_paths", "pass_through")}
PathList = Annotated[tuple[str, ...], NoDecode]
AddressList = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What the gateway and the workers need to know; see each field's description.

    Every field `x` is set by the environment variable `FAST_PRIORITY_X`. Durations are in seconds, sizes in bytes.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=DOTENV,
        env_file_encoding="utf-8",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    target_base_url: str | None = _setting(
        None,
        "Base URL of the API behind the gateway. The gateway needs it; a worker that has it sends there only.",
        "an http:// or https:// URL with a host, such as http://api:8080 or https://api.example/v1",
    )
    high_prio_paths: Listing = _setting(
        Listing.UNLISTED,
        "listed: the named paths are high, all others low. unlisted: the named paths are low, all others high.",
        "listed or unlisted",
    )
    prio_paths: PathList = _setting((), "Paths named exactly.", "comma-separated paths, such as orders,users/me")
    prio_base_paths: PathList = _setting(
        (), "Paths named by how they start.", "comma-separated beginnings of paths, such as reports,v1/batch"
    )
    pass_through: PathList = _setting(
        ("health/",), "Paths that skip the queue.", "comma-separated paths, such as health/,version; empty for none"
    )
    normalize_paths: bool = _setting(
        True, "Whether slashes at either end of a path mean nothing.", "1, true, yes or on; 0, false, no or off"
    )
    path_case: PathCase = _setting(
        PathCase.EXACT,
        "ignore: capitals mean nothing in paths, for a target that ignores them. exact: they do.",
        "exact or ignore",
    )
    poll_interval: float = _setting(
        1.0,
        "Seconds between the gateway's own checks on the requests that wait; replies are pushed and need none.",
        "a number of seconds from 0.05 to 60",
        ge=0.05,
        le=60,
    )
    ttl: int = _setting(
        300, "Seconds a request may wait on the queue.", "a whole number of seconds from 1 to 604800", ge=1, le=604_800
    )
    timeout: float = _setting(
        180.0,
        "Seconds the target may be silent, before its response and while it comes.",
        "a number of seconds from 0.1 to 86400",
        ge=0.1,
        le=86_400,
    )
    client_timeout: float = _setting(
        15.0,
        "Seconds of patience with a client that keeps the gateway waiting, for its body or for it to take a response.",
        "a number of seconds from 0.1 to 86400",
        ge=0.1,
        le=86_400,
    )
    connect_timeout: float = _setting(
        5.0, "Seconds that connecting to the target may take.", "a number of seconds from 0.1 to 300", ge=0.1, le=300
    )
    max_body: int = _setting(
        0,
        "Largest body, in bytes, of a request or of a queued response; 0: as large as they come.",
        "a whole number of bytes from 1024 to 1125899906842624 (1 PiB), or 0 for no limit",
        ge=0,
        le=1024**5,
    )
    frames_in_flight: int = _setting(
        6,
        "Pieces of one body, of at most 512 KiB each, that may be on their way through Redis at once.",
        "a whole number from 1 to 1024",
        ge=1,
        le=1024,
    )
    max_queued_high: int = _setting(
        10_000, "Most requests that may wait on the high queue.", "a whole number from 1 to 1000000", ge=1, le=1_000_000
    )
    max_queued_low: int = _setting(
        10_000, "Most requests that may wait on the low queue.", "a whole number from 1 to 1000000", ge=1, le=1_000_000
    )
    max_connections: int = _setting(
        16_384,
        "Most clients that may be connected to one gateway at once; 0: as many as come.",
        "a whole number from 1 to 1000000, or 0 for no limit",
        ge=0,
        le=1_000_000,
    )
    websockets: bool = _setting(
        True,
        "Whether WebSockets are carried; off: a request for one is a GET like any other.",
        "1, true, yes or on; 0, false, no or off",
    )
    max_tunnels: int = _setting(
        1000,
        "Most WebSockets of one gateway that may be open or asked for at once.",
        "a whole number from 1 to 1000000",
        ge=1,
        le=1_000_000,
    )
    head_timeout: float = _setting(
        30.0,
        "Seconds a client may take to send a request's head.",
        "a number of seconds from 0.1 to 86400",
        ge=0.1,
        le=86_400,
    )
    keep_alive: float = _setting(
        75.0,
        "Seconds a client's connection may be idle between two requests.",
        "a number of seconds from 0.1 to 86400",
        ge=0.1,
        le=86_400,
    )
    drain_timeout: float = _setting(
        0.0,
        "Seconds a gateway that is told to end goes on answering what waits; 0: as long as an answer can take.",
        "a number of seconds from 0.1 to 604800, or 0 for TTL and TIMEOUT together",
        ge=0,
        le=604_800,
    )
    redis_url: SecretStr | None = _setting(
        None,
        "Redis, said in one. User, password and the TLS files may be said beside it.",
        "a redis://, rediss:// or unix:// URL, such as rediss://redis.example:6380/0",
    )
    redis_host: str = _setting("localhost", "Host of Redis.", "a host name or address")
    redis_port: int = _setting(6379, "Port of Redis.", "a port from 1 to 65535", ge=1, le=65_535)
    redis_socket: str | None = _setting(None, "Unix socket of Redis, instead of host and port.", "the path of a socket")
    redis_db: int = _setting(0, "Database at Redis.", "a whole number from 0 to 2147483647", ge=0, le=2_147_483_647)
    redis_user: str | None = _setting(None, "User at Redis (ACL).", "a user name")
    redis_password: SecretStr | None = _setting(None, "Password at Redis.", "a password")
    redis_tls: bool = _setting(
        False,
        "Whether Redis, and the Sentinels, are spoken to by TLS; certificate and host name are verified.",
        "1, true, yes or on; 0, false, no or off",
    )
    redis_tls_ca: FilePath | None = _setting(
        None, "Certificates of authorities that are trusted beside the system's.", "the path of a PEM file"
    )
    redis_tls_cert: FilePath | None = _setting(None, "Certificate that is shown to Redis.", "the path of a PEM file")
    redis_tls_key: FilePath | None = _setting(
        None, "Key of that certificate, if it is not in the same file.", "the path of a PEM file without a password"
    )
    redis_sentinels: AddressList = _setting(
        (),
        "Sentinels, who are asked where the master is.",
        "comma-separated hosts with ports, such as s1:26379,s2:26379",
    )
    redis_sentinel_master: str | None = _setting(
        None, "Name that the Sentinels have for the master.", "a name, such as mymaster"
    )
    redis_sentinel_user: str | None = _setting(None, "User at the Sentinels (ACL).", "a user name")
    redis_sentinel_password: SecretStr | None = _setting(None, "Password at the Sentinels.", "a password")
    doc_path: str = _setting("/gateway_docs", "The gateway's own documentation page.", "a path")
    redoc_path: str = _setting("/gateway_redoc", "The gateway's own ReDoc page.", "a path")
    health_path: str = _setting("/gateway_health", "The gateway's own health endpoint.", "a path")
    host: str = _setting("0.0.0.0", "Address the gateway listens on.", "an address of this machine")
    port: int = _setting(8000, "Port the gateway listens on.", "a port from 1 to 65535", ge=1, le=65_535)
    trusted_proxies: AddressList = _setting(
        (),
        "Proxies in front of the gateway that are believed whom they forward a request for.",
        "comma-separated addresses and CIDR networks, such as 10.0.0.0/8,192.0.2.7,2001:db8::/32",
    )
    workers: str | None = Field(
        None,
        validation_alias=AliasChoices(f"{PREFIX}WORKERS", f"{PREFIX}WORKER"),
        description="Set: run as worker instead of gateway. A number: how many worker processes.",
        json_schema_extra={
            "takes": "a whole number from 1 to 512, or any word for one process; unset it for a gateway"
        },
    )
    worker_concurrency: int = _setting(
        1,
        "Requests each worker process has in flight at once (its slots).",
        "a whole number from 1 to 1024",
        ge=1,
        le=1024,
    )

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Build the settings; `overrides` win over the environment, and None among them counts as not given.

        Raises ConfigurationError, one line for each bad value, naming the variable, the value and what it takes.
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
        """Look in the arguments, the environment and `.env`, and nowhere else."""
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = {
                    name: value for name, value in source.env_vars.items() if says_something(name, value)
                }
        return init_settings, env_settings, dotenv_settings

    @field_validator("prio_paths", "prio_base_paths", "pass_through", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _parts(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _are_addresses(cls, value: Any) -> Any:
        written = _parts(value)
        if isinstance(written, tuple):
            TrustedProxies.of(written)
        return written

    @field_validator("redis_sentinels", mode="before")
    @classmethod
    def _are_sentinels(cls, value: Any) -> Any:
        written = _parts(value)
        if isinstance(written, tuple):
            for text in written:
                parse_sentinel(text)
        return written

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_redis_url(value.get_secret_value())
        return value

    @field_validator("high_prio_paths", "path_case", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        lowered = value.strip().lower() if isinstance(value, str) else value
        return lowered if lowered in {*Listing, *PathCase} else value

    @field_validator("doc_path", "redoc_path", "health_path")
    @classmethod
    def _rooted(cls, value: str) -> str:
        if not value.strip("/") or re.search(r"[\s?#{}]", value):
            raise ValueError("this is not the path of an endpoint")
        return "/" + value.strip("/")

    @field_validator("target_base_url")
    @classmethod
    def _is_base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            fits = parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
        except ValueError:
            fits = False
        if not fits or re.search(r"[\s\x00-\x1f\x7f]", value):
            raise ValueError("this is not the URL of an API")
        if parts.query or parts.fragment or "?" in value or "#" in value:
            raise ValueError("a base URL has no query and no fragment")
        if "@" in parts.netloc:
            raise ValueError("a base URL carries no user and password; let the clients send Authorization")
        return value.rstrip("/")

    @field_validator("max_body")
    @classmethod
    def _is_a_limit(cls, value: int) -> int:
        if 0 < value < _LEAST_BODY_LIMIT_BYTES:
            raise ValueError(f"less than {_LEAST_BODY_LIMIT_BYTES} bytes is hardly a body")
        return value

    @field_validator("workers")
    @classmethod
    def _counts(cls, value: str | None) -> str | None:
        number = _whole_number(value)
        if number is not None and not 1 <= number <= 512:
            raise ValueError("this many worker processes cannot be")
        if value is not None and value.strip().lower() in _NO:
            raise ValueError("set to anything, it asks for a worker")
        return value

    @model_validator(mode="after")
    def _endpoints_are_distinct(self) -> Self:
        if len(set(self.own_paths)) != len(self.own_paths):
            raise ValueError(
                f"{PREFIX}DOC_PATH={self.doc_path}, {PREFIX}REDOC_PATH={self.redoc_path} and "
                f"{PREFIX}HEALTH_PATH={self.health_path} must differ from each other, "
                f"from {GATEWAY_OPENAPI_PATH}, and from /live and /ready below the health path"
            )
        return self

    @model_validator(mode="after")
    def _redis_is_one(self) -> Self:
        _ = self.redis_address
        return self

    @property
    def own_paths(self) -> tuple[str, ...]:
        """The paths that the gateway answers itself."""
        return self.doc_path, self.redoc_path, GATEWAY_OPENAPI_PATH, *self.health_paths

    @property
    def health_paths(self) -> tuple[str, ...]:
        """The paths of the gateway's health."""
        return self.health_path, f"{self.health_path}/live", f"{self.health_path}/ready"

    @property
    def runs_as_worker(self) -> bool:
        """Whether the environment asks for a worker rather than a gateway."""
        return self.workers is not None

    @property
    def names_a_redis(self) -> bool:
        """Whether anybody said which Redis to use."""
        return any(name.startswith("redis_") for name in self.model_fields_set)

    @property
    def redis_address(self) -> RedisAddress:
        """Where Redis is."""
        said = {name: getattr(self, name) for name in self.model_fields_set if name.startswith("redis_")}
        return RedisAddress.of({name.removeprefix("redis_"): _plain(value) for name, value in said.items()})

    @property
    def drain_seconds(self) -> float:
        """How long a gateway that is told to end goes on answering what waits."""
        return self.drain_timeout or self.ttl + self.timeout + _DRAIN_GRACE_SECONDS

    @property
    def worker_processes(self) -> int:
        """How many worker processes to start: at least 1."""
        return _whole_number(self.workers) or 1

    @property
    def rules(self) -> Rules:
        """The rules that turn a path into a priority."""
        return Rules.of(
            self.high_prio_paths,
            self.prio_paths,
            self.prio_base_paths,
            self.pass_through,
            ignore_outer_slashes=self.normalize_paths,
            case=self.path_case,
        )

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies that are believed whom they forward a request for."""
        return TrustedProxies.of(self.trusted_proxies)

    def max_queued(self, priority: Priority) -> int:
        """Return the most requests that may wait on the queue of this priority."""
        limit: int = getattr(self, f"max_queued_{priority.value}")
        return limit

    def target_policy(self) -> TargetPolicy:
        """Where requests go, and their limits. Raises ConfigurationError without FAST_PRIORITY_TARGET_BASE_URL."""
        if self.target_base_url is None:
            raise ConfigurationError(
                f"{PREFIX}TARGET_BASE_URL is not set: the gateway needs {_takes('target_base_url')}"
            )
        return TargetPolicy(self.target_base_url, self.connect_timeout, self.timeout, self.max_body)


def says_something(variable: str, value: str | None) -> bool:
    """Tell whether a variable of the environment, or of `.env`, counts as set.

    Compose files and shells hand on empty variables freely: they do not count. Only of a list of paths, empty is
    something to say.
    """
    return bool(value) or (value is not None and variable.lower() in _PATH_LISTS)


def _parts(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\s*[+-]?[0-9]{1,4000}\s*", text) else None


def _takes(name: str) -> str:
    field: FieldInfo = Settings.model_fields[name]
    extra = field.json_schema_extra
    return str(extra["takes"]) if isinstance(extra, dict) else "another value"


def _explained(problem: Any) -> str:
    location, reason = problem["loc"], re.sub(r"^Value error, ", "", problem["msg"])
    if not location:
        return reason
    name = str(location[0]).lower().removeprefix(PREFIX.lower())
    name = "workers" if name == "worker" else name
    shown = repr(_without_secrets(problem["input"]) if name == "target_base_url" else problem["input"])
    shown = "'***'" if SecretStr in get_args(Settings.model_fields[name].annotation) else shown
    reason = reason[0].lower() + reason[1:]
    variable = f"{PREFIX}{name.upper()}"
    where = f" in {DOTENV}" if variable in dotenv_variables() and variable not in os.environ else ""
    return f"{variable}={shown}{where} cannot be used ({reason}): give {_takes(name)}"


def dotenv_variables() -> dict[str, str]:
    """Give what the file `.env` of the working directory sets, by the names in capitals."""
    found = dotenv_values(DOTENV) if Path(DOTENV).is_file() else {}
    return {name.upper(): value or "" for name, value in found.items()}


def _without_secrets(value: Any) -> Any:
    # What stands before an @ may be a password, and what stands after a ? a token.
    return re.sub(r"(?s)\?.*", "?***", re.sub(r"(?s)(//)?.*@", r"\1***@", value)) if isinstance(value, str) else value
