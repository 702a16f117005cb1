"""What one request costs, measured from outside during load: CPU time of each process, and the work of Redis."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from benchmarks.observation.process_usage import cpu_microseconds
from fast_priority.broker import scripts

_SLOWLOG_ENTRIES = 20_000
_LOG_ALL, _LOG_NOTHING = 0, -1
RequestCounter = Callable[[], int]
"""Returns how many requests the target has received so far, with the request that asks for it."""


@dataclass(frozen=True, slots=True)
class RequestCost:
    """What was used during a time, divided by the requests that reached the target."""

    requests: int
    seconds: float
    cpu_microseconds: Mapping[str, float]
    """By process."""
    redis: Mapping[str, float]
    """By counter of Redis; empty if there is no Redis."""

    @property
    def per_second(self) -> float:
        """Return the requests per second that reached the target."""
        return self.requests / self.seconds


_REDIS_COUNTERS = {
    "commands": "total_commands_processed",
    "reads": "total_reads_processed",
    "writes": "total_writes_processed",
    "bytes in": "total_net_input_bytes",
    "bytes out": "total_net_output_bytes",
}
"""Our names and those of INFO. A read is what arrived from a client at once; with the write of its reply it is one
round trip."""


def measure_cost(
    count_requests: RequestCounter, processes: Mapping[str, Sequence[int]], redis_socket: str | None, seconds: float
) -> RequestCost:
    """Measure for this time, while there is load: processes (ids by name), and Redis if there is one."""
    before, began = _read(count_requests, processes, redis_socket), time.monotonic()
    time.sleep(seconds)
    after, duration = _read(count_requests, processes, redis_socket), time.monotonic() - began
    requests = after["requests"] - before["requests"] - 1  # without the second reading's own request
    each = {name: (after[name] - before[name]) / max(requests, 1) for name in after}
    return RequestCost(
        requests=int(requests),
        seconds=duration,
        cpu_microseconds={name: each[name] for name in processes},
        redis={name: each[name] for name in each if name not in processes and name != "requests"},
    )


def _read(
    count_requests: RequestCounter, processes: Mapping[str, Sequence[int]], redis_socket: str | None
) -> dict[str, float]:
    values: dict[str, float] = {"requests": count_requests()}
    values |= {name: sum(map(cpu_microseconds, pids)) for name, pids in processes.items()}
    if redis_socket is not None:
        with Redis(unix_socket_path=redis_socket) as redis:
            stats: dict[str, Any] = redis.info("stats")
            commands: dict[str, Any] = redis.info("commandstats")
        values |= {name: float(stats.get(counter, 0)) for name, counter in _REDIS_COUNTERS.items()}
        calls = [commands.get(f"cmdstat_{name}", {}) for name in ("eval", "evalsha", "fcall")]
        values["script calls"] = sum(call.get("calls", 0) for call in calls)
        values["script µs"] = sum(call.get("usec", 0) for call in calls)
    return values


def script_microseconds(count_requests: RequestCounter, redis_socket: str, seconds: float) -> dict[str, float]:
    """Return, by script, the microseconds that Redis took to run it, per request that reached the target.

    Redis logs every command during this time, so measure nothing else then.
    """
    before = count_requests()
    with Redis(unix_socket_path=redis_socket) as redis:
        redis.slowlog_reset()
        redis.config_set("slowlog-max-len", _SLOWLOG_ENTRIES)
        redis.config_set("slowlog-log-slower-than", _LOG_ALL)
        time.sleep(seconds)
        redis.config_set("slowlog-log-slower-than", _LOG_NOTHING)
        requests = count_requests() - before - 1
        entries: list[dict[str, Any]] = redis.slowlog_get(_SLOWLOG_ENTRIES)
        redis.slowlog_reset()
    total: dict[str, float] = {}
    for entry in entries:
        if name := script_name(bytes(entry["command"]).split(b" ", 2)):
            total[name] = total.get(name, 0.0) + int(entry["duration"])
    return {name: microseconds / max(requests, 1) for name, microseconds in total.items()}


def script_name(words: Sequence[bytes]) -> str | None:
    """Return the name of the script that a command runs by its digest; None if it runs none of our scripts."""
    if len(words) < 2 or words[0].upper() != b"EVALSHA":
        return None
    return scripts.NAMES.get(words[1].decode(errors="replace"))
