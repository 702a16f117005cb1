"""Settings of the target: where it is, and what it may take."""

import re
from typing import Self

from pydantic import BaseModel, FilePath, field_validator, model_validator

from fast_priority.scheduling.path_readings import climbs
from fast_priority.settings.field import SWITCH, seconds, setting
from fast_priority.settings.path_texts import check_path
from fast_priority.settings.target_url import normal_base_url
from fast_priority.settings.tls_files import TlsFiles

_LEAST_BODY_LIMIT_BYTES = 1024


class TargetSettings(BaseModel):
    """The API behind the gateway."""

    target_base_url: str | None = setting(
        None,
        "Base URL of the API behind the gateway. The gateway needs it. A worker that has it sends requests only there.",
        "an http:// or https:// URL with a host, such as http://api:8080 or https://api.example/v1",
    )
    target_probe_path: str | None = setting(
        None,
        "Path below the base URL that health checks GET: under 500 is reachable. Not set: they connect and send "
        "nothing.",
        "the path of an endpoint of the target that answers quickly, such as /health",
    )
    preserve_host: bool = setting(
        False,
        "Whether the target gets the client's Host instead of its own. on: Location and Content-Location are not "
        "rewritten.",
        SWITCH,
    )
    connect_timeout: float = setting(
        5.0,
        "Timeout in seconds for a connection to the target: look-up of its name, all its addresses, and TLS together.",
        "a number of seconds from 0.1 to 300",
        ge=0.1,
        le=300,
    )
    timeout: float = seconds(
        180.0, "Inactivity timeout in seconds for the target: until its response begins, and between two parts of it."
    )
    max_body: int = setting(
        0,
        "Size limit in bytes for a body: of a request, and of the response to a queued request. 0: no limit.",
        "a whole number of bytes from 1024 to 1125899906842624 (1 PiB), or 0 for no limit",
        ge=0,
        le=1024**5,
    )

    target_tls_ca: FilePath | None = setting(
        None,
        "File with the CA certificates to trust for an https:// target, instead of those of the system.",
        "the path of a PEM file",
    )
    target_tls_cert: FilePath | None = setting(
        None, "File with the client certificate for an https:// target.", "the path of a PEM file"
    )
    target_tls_key: FilePath | None = setting(
        None, "File with the key of that certificate.", "the path of a PEM file without a password"
    )

    @field_validator("target_base_url")
    @classmethod
    def _is_base_url(cls, value: str | None) -> str | None:
        return None if value is None else normal_base_url(value)

    @field_validator("target_probe_path")
    @classmethod
    def _is_below_the_base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        check_path(value)
        if re.search(r"\s", value):
            raise ValueError("a path has no spaces: write %20 for a space in it")
        path = "/" + value.removeprefix("/")
        if climbs(path.encode(errors="surrogateescape").decode("latin-1")):
            raise ValueError("it may lead above the base URL")
        return path

    @field_validator("max_body")
    @classmethod
    def _is_a_limit(cls, value: int) -> int:
        if 0 < value < _LEAST_BODY_LIMIT_BYTES:
            raise ValueError(f"the smallest limit is {_LEAST_BODY_LIMIT_BYTES} bytes")
        return value

    @model_validator(mode="after")
    def _tls_files_fit(self) -> Self:
        self.target_tls.check(self.target_base_url)
        return self

    @property
    def target_tls(self) -> TlsFiles:
        """The files of TLS to the target."""
        paths = (self.target_tls_ca, self.target_tls_cert, self.target_tls_key)
        return TlsFiles(*(None if path is None else str(path) for path in paths))
