"""What changes while a mock runs: the arrival log, the limit of concurrent requests, the settings in force."""

from mock_target.state.arrival_log import Arrival, ArrivalLog
from mock_target.state.concurrency_limiter import Permit, QueueFull
from mock_target.state.mock_state import MockState

__all__ = ["Arrival", "ArrivalLog", "MockState", "Permit", "QueueFull"]
