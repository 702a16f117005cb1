"""What processes, Redis and the target did during a measurement."""

from benchmarks.observation.memory_peak import REDIS, REDIS_DATA, MemoryPeak
from benchmarks.observation.process_usage import cpu_microseconds, resident_bytes
from benchmarks.observation.redis_monitor import monitored_commands
from benchmarks.observation.request_cost import RequestCost, measure_cost, script_microseconds
from benchmarks.observation.request_stages import (
    PASS_THROUGH_STAGES,
    QUEUE_STAGES,
    WORKER_STAGES,
    median_stages,
    pass_through_stages,
    queue_stages,
    read_redis_events,
    worker_stages,
)
from benchmarks.observation.switch_cost import bound_to, redis_round_trip_microseconds, switch_microseconds
from benchmarks.observation.target_log import LOG_FORMAT, ServedRequest, busy_share, read_target_log, steady_span

__all__ = [
    "LOG_FORMAT",
    "PASS_THROUGH_STAGES",
    "QUEUE_STAGES",
    "REDIS",
    "REDIS_DATA",
    "WORKER_STAGES",
    "MemoryPeak",
    "RequestCost",
    "ServedRequest",
    "bound_to",
    "busy_share",
    "cpu_microseconds",
    "measure_cost",
    "median_stages",
    "monitored_commands",
    "pass_through_stages",
    "queue_stages",
    "read_redis_events",
    "read_target_log",
    "redis_round_trip_microseconds",
    "resident_bytes",
    "script_microseconds",
    "steady_span",
    "switch_microseconds",
    "worker_stages",
]
