"""HTTP clients of a load test: base URLs, the mock target's arrival log, and the wait until both ends are ready."""

from loadtests.clients.base_url import BaseUrl
from loadtests.clients.mock_target import (
    MockTargetError,
    TargetLog,
    read_arrivals,
    read_settled_arrivals,
    reset_arrivals,
)
from loadtests.clients.readiness import (
    READY_WITHIN_SECONDS,
    wait_until_forwards,
    wait_until_mock_target,
    wait_until_responds,
)

__all__ = [
    "READY_WITHIN_SECONDS",
    "BaseUrl",
    "MockTargetError",
    "TargetLog",
    "read_arrivals",
    "read_settled_arrivals",
    "reset_arrivals",
    "wait_until_forwards",
    "wait_until_mock_target",
    "wait_until_responds",
]
