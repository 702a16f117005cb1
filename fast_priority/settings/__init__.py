"""Every environment variable: its type, its range, its default, and where the value in force comes from."""

from fast_priority.settings.model import GATEWAY_OPENAPI_PATH, PREFIX, Settings
from fast_priority.settings.redis_address import RedisAddress
from fast_priority.settings.sources import origins, warnings_about_environment

__all__ = ["GATEWAY_OPENAPI_PATH", "PREFIX", "RedisAddress", "Settings", "origins", "warnings_about_environment"]
