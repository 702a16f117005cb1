"""Settings of what the gateway shows of its requests: in responses, in metrics and in its log."""

import re

from pydantic import BaseModel, SecretStr, field_validator

from fast_priority.settings.field import SWITCH, setting

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, section 2.1


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

    @field_validator("operator_token")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("it has a character that a client cannot send in `Authorization: Bearer ...`")
        return value
