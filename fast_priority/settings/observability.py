"""Settings of what the gateway shows of its requests: in responses, in metrics and in its log."""

import re

from pydantic import BaseModel, SecretStr, field_validator

from fast_priority.settings.field import SWITCH, setting

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, section 2.1


_ON, _OFF = "on", "off"
_LEAST_LOG_SECONDS, _MOST_LOG_SECONDS = 0.001, 86_400
_LOG_TAKES = "on, off, or a number of seconds from 0.001 to 86400"


class ObservabilitySettings(BaseModel):
    """What the gateway shows, and to whom."""

    server_timing: bool = setting(
        True,
        "Whether each response has a Server-Timing: how many milliseconds the request waited for a slot, and how many "
        "passed until the head of the target's response.",
        SWITCH,
    )
    operator_token: SecretStr | None = setting(
        None,
        "Token of those who may read /gateway_metrics, which they send as `Authorization: Bearer ...`. Without it, "
        "only clients on the gateway's machine may read it.",
        "a token of letters, digits and -._~+/=",
    )

    access_log: str = setting(
        "off",
        "Which requests have a line of their own on standard output. A number of seconds: those that took as long, and "
        "those that failed.",
        _LOG_TAKES,
    )

    @field_validator("access_log")
    @classmethod
    def _is_known(cls, value: str) -> str:
        value = value.strip().lower()
        if value not in (_ON, _OFF):
            _log_seconds(value)
        return value

    @property
    def access_log_seconds(self) -> float | None:
        """The time that a request has to take at least to have a line; 0: all have one; None: none has one."""
        if self.access_log == _OFF:
            return None
        return 0.0 if self.access_log == _ON else _log_seconds(self.access_log)

    @field_validator("operator_token")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("it has a character that a client cannot send in `Authorization: Bearer ...`")
        return value


def _log_seconds(text: str) -> float:
    """Return the number of seconds in a text. Raises ValueError for any other text."""
    seconds = float(text)
    if not _LEAST_LOG_SECONDS <= seconds <= _MOST_LOG_SECONDS:
        raise ValueError("this is out of range")
    return seconds
