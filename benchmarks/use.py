"""What one request uses, seen from outside while load is on: CPU of each process, and what Redis does for it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from benchmarks.nginx import Target
from benchmarks.processes import cpu_microseconds
from fast_priority.broker import scripts

_SLOWLOG_ENTRIES = 20_000
_EVERYTHING, _NOTHING = 0, -1


@dataclass(frozen=True, slots=True)
class Use:
    """What was used for each request that reached the target within some time."""

    requests: int
    seconds: float
    cpu_microseconds: Mapping[str, float]
    """By process."""
    redis: Mapping[str, float]
    """By what Redis counts; empty if there is none."""

    @property
    def per_second(self) -> float:
        """Requests that reached the target, a second."""
        return self.requests / self.seconds


_REDIS_COUNTS = {
    "commands": "total_commands_processed",
    "reads": "total_reads_processed",
    "writes": "total_writes_processed",
    "bytes in": "total_net_input_bytes",
    "bytes out": "total_net_output_bytes",
}
"""By our names. A read is what came at once from a client: one, and a write for its answer, are a round trip."""


def watch_use(
    target: Target, processes: Mapping[str, Sequence[int]], redis_socket: str | None, seconds: float
) -> Use:  # fmt: skip
    """Watch for so long, while somebody else puts load on."""
    before, began = _look(target, processes, redis_socket), time.monotonic()
    time.sleep(seconds)
    after, lasted = _look(target, processes, redis_socket), time.monotonic() - began
    requests = after["requests"] - before["requests"] - 1  # the second look is none of theirs
    each = {name: (after[name] - before[name]) / max(requests, 1) for name in after}
    return Use(
        requests=int(requests),
        seconds=lasted,
        cpu_microseconds={name: each[name] for name in processes},
        redis={name: each[name] for name in each if name not in processes and name != "requests"},
    )


def _look(target: Target, processes: Mapping[str, Sequence[int]], redis_socket: str | None) -> dict[str, float]:
    seen: dict[str, float] = {"requests": target.requests()}
    seen |= {name: sum(map(cpu_microseconds, pids)) for name, pids in processes.items()}
    if redis_socket is not None:
        with Redis(unix_socket_path=redis_socket) as redis:
            stats: dict[str, Any] = redis.info("stats")
            commands: dict[str, Any] = redis.info("commandstats")
        seen |= {name: float(stats.get(count, 0)) for name, count in _REDIS_COUNTS.items()}
        calls = [commands.get(f"cmdstat_{name}", {}) for name in ("eval", "evalsha", "fcall")]
        seen["script calls"] = sum(call.get("calls", 0) for call in calls)
        seen["script µs"] = sum(call.get("usec", 0) for call in calls)
    return seen


def script_microseconds(target: Target, redis_socket: str, seconds: float) -> dict[str, float]:
    """Give, by script, the microseconds that Redis took to run it, for each request that reached the target meanwhile.

    Redis writes down every command for so long, so nothing else should be measured meanwhile.
    """
    before = target.requests()
    with Redis(unix_socket_path=redis_socket) as redis:
        redis.slowlog_reset()
        redis.config_set("slowlog-max-len", _SLOWLOG_ENTRIES)
        redis.config_set("slowlog-log-slower-than", _EVERYTHING)
        time.sleep(seconds)
        redis.config_set("slowlog-log-slower-than", _NOTHING)
        requests = target.requests() - before - 1
        entries: list[dict[str, Any]] = redis.slowlog_get(_SLOWLOG_ENTRIES)
        redis.slowlog_reset()
    took: dict[str, float] = {}
    for entry in entries:
        if name := script_of(bytes(entry["command"]).split(b" ", 2)):
            took[name] = took.get(name, 0.0) + int(entry["duration"])
    return {name: microseconds / max(requests, 1) for name, microseconds in took.items()}


def script_of(words: Sequence[bytes]) -> str | None:
    """Give the name of the script that a command runs by its digest; None if it is none of ours."""
    if len(words) < 2 or words[0].upper() != b"EVALSHA":
        return None
    return scripts.NAMES.get(words[1].decode(errors="replace"))
