"""HTTP clients of a load test: base URLs, and the mock target's arrival log."""

from loadtests.clients.base_url import Address
from loadtests.clients.mock_target import (
    ArrivalLog,
    MockError,
    read_arrivals,
    read_settled_arrivals,
    reset_arrivals,
    wait_for_answer,
)

__all__ = [
    "Address",
    "ArrivalLog",
    "MockError",
    "read_arrivals",
    "read_settled_arrivals",
    "reset_arrivals",
    "wait_for_answer",
]
