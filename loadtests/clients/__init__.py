"""HTTP clients of a load test: base URLs, and the mock target's arrival log."""

from loadtests.clients.base_url import BaseUrl
from loadtests.clients.mock_target import (
    MockTargetError,
    TargetLog,
    read_arrivals,
    read_settled_arrivals,
    reset_arrivals,
    wait_until_ready,
)

__all__ = [
    "BaseUrl",
    "MockTargetError",
    "TargetLog",
    "read_arrivals",
    "read_settled_arrivals",
    "reset_arrivals",
    "wait_until_ready",
]
