"""Part `slow`: a client reads a large response slowly, then leaves before its end."""

import math
import socket
import time
from collections.abc import Callable

from benchmarks.endpoints import request_head
from benchmarks.results import MEBIBYTE, Finding
from benchmarks.streaming.findings import failure, memory_findings
from benchmarks.streaming.run_size import RunSize
from benchmarks.streaming.stack import StreamingStack

_MOST_GROWTH_BYTES = 16 * MEBIBYTE
_BYTES_PER_SECOND = 100_000
_READ_BYTES = 10_000
_RECEIVE_BUFFER_BYTES = 64 * 1024  # small: the kernel must not read ahead for the client
_RELEASED_WITHIN_SECONDS = 5.0
_INTERVAL_SECONDS = 0.05


def measure_slow_reader(stack: StreamingStack, size: RunSize) -> list[Finding]:
    """Measure memory while the client reads, and whether connection and slot are released after it has left."""
    rate = f"{_BYTES_PER_SECOND / 1000:g} kB/s for {size.slow_seconds:g} s"
    label = f"{size.slow_bytes / MEBIBYTE:,.0f} MiB read at {rate}"
    left_before = stack.target_state()["left"]
    with stack.memory_peak() as peak:
        path = f"{stack.prefix}/download?bytes={size.slow_bytes}"
        beginning = _read_slowly(stack.gateway_port, path, size.slow_seconds)
    if not beginning.startswith(b"HTTP/1.1 200"):
        return [failure(label, f"answered {beginning[:100]!r}")]
    findings = memory_findings(label, peak.growth_bytes, _MOST_GROWTH_BYTES)
    return [*findings, *_released(stack, left_before, label)]


def _read_slowly(port: int, path: str, seconds: float) -> bytes:
    """Return the first bytes of the response."""
    beginning = b""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        connection.settimeout(seconds + 30)
        connection.connect(("127.0.0.1", port))
        connection.sendall(request_head("GET", path))
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and (data := connection.recv(_READ_BYTES)):
            beginning = beginning or data
            time.sleep(_READ_BYTES / _BYTES_PER_SECOND)
    return beginning


def _released(stack: StreamingStack, left_before: int, label: str) -> list[Finding]:
    """Wait until nothing is left of a client that has just left; return a finding for each resource."""
    conditions: dict[str, Callable[[], bool]] = {
        "the target's connection is closed": lambda: stack.target_state() == {"sending": 0, "left": left_before + 1},
        "the slot is free": lambda: stack.gateways.in_flight() == 0,
    }
    began, after_seconds = time.monotonic(), dict.fromkeys(conditions, math.inf)
    while time.monotonic() < began + _RELEASED_WITHIN_SECONDS and math.inf in after_seconds.values():
        for name, condition in conditions.items():
            if condition():
                after_seconds[name] = min(after_seconds[name], time.monotonic() - began)
        time.sleep(_INTERVAL_SECONDS)
    return [
        Finding(
            f"{label}, then left: {name}",
            f"within {_RELEASED_WITHIN_SECONDS:g} s",
            "not yet" if seconds == math.inf else f"after {seconds:.1f} s",
            seconds < math.inf,
        )
        for name, seconds in after_seconds.items()
    ]
