"""Settings of what the gateway shows of its requests: in responses, in metrics and in its log."""

from pydantic import BaseModel

from fast_priority.settings.field import SWITCH, setting


class ObservabilitySettings(BaseModel):
    """What the gateway shows, and to whom."""

    server_timing: bool = setting(
        True,
        "Whether each response has a Server-Timing: how many milliseconds the request waited for a slot, and how many "
        "passed until the head of the target's response.",
        SWITCH,
    )
