"""What one request costs: CPU of each process, what Redis does for it; and how long our parts take to start."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import IO

from benchmarks.observation.resource_use import Use, watch_use
from benchmarks.performance.recording import tell
from benchmarks.performance.sizes import Sizes
from benchmarks.results.findings import Report, Spread, rotated, short, table
from benchmarks.systems.contenders import DIRECT, HAPROXY, NGINX, PASSED, QUEUED, Way, measuring, running_ways
from benchmarks.systems.nginx import Target
from benchmarks.systems.stack import running_ours, start_gateway
from fast_priority.embedded_redis import embedded_redis

_SLOTS = 16
_CONNECTIONS = (1, 256)
_WARM_UP_SECONDS = 1.0
_WAYS = (DIRECT, NGINX, HAPROXY, PASSED, QUEUED)
PROCESSES = ("wrk", "nginx", "HAProxy", "gateway", "Redis", "worker", "target")
"""In the order in which a request meets them."""


def measure_costs(sizes: Sizes) -> Report:
    """Watch every way under load, on one connection and on many; then start our parts a few times."""
    report = Report("costs")
    with measuring() as output, running_ways(output, _SLOTS, _WAYS) as (target, ways):
        for connections in _CONNECTIONS:
            uses: dict[str, list[Use]] = {name: [] for name in ways}
            for number in range(sizes.grid_rounds):
                for name in rotated(list(ways), number):
                    use = _watch(ways[name], target, connections, sizes.grid_seconds)
                    uses[name].append(use)
                    report.raw.append(_raw(use, name, connections, number))
            report.tables[f"cpu-{connections}"] = _cpu_table(uses, connections)
            report.tables[f"redis-{connections}"] = _redis_table(uses[QUEUED])
        report.tables["start-up"] = _start_up_table(target, output, sizes.grid_rounds)
    return report


def _watch(way: Way, target: Target, connections: int, seconds: float) -> Use:
    most_seconds = int(seconds + _WARM_UP_SECONDS) + 30
    with way.loading(0, connections, most_seconds) as running:
        time.sleep(_WARM_UP_SECONDS)
        processes: Mapping[str, Sequence[int]] = {"wrk": [running.pid], "target": [target.pid], **way.processes}
        use = watch_use(target, processes, way.redis_socket, seconds)
    way.settle()
    tell(f"costs: {way.name}, {connections} connections: {sum(use.cpu_microseconds.values()):.0f} µs of CPU a request")
    return use


def _raw(use: Use, way: str, connections: int, number: int) -> dict[str, object]:
    return {"part": "costs", "way": way, "connections": connections, "round": number, "per_second": use.per_second,
            "cpu_microseconds": dict(use.cpu_microseconds), "redis": dict(use.redis)}  # fmt: skip


def _cpu_table(uses: Mapping[str, list[Use]], connections: int) -> str:
    heads = [f"CPU per request, µs; {connections} connection{'s' if connections > 1 else ''}", *PROCESSES, "together"]
    rows = []
    for name, seen in uses.items():
        cells = []
        for process in PROCESSES:
            values = [use.cpu_microseconds[process] for use in seen if process in use.cpu_microseconds]
            cells.append(short(Spread.of(values).median) if values else "")
        whole = Spread.of([sum(use.cpu_microseconds.values()) for use in seen])
        rows.append([name, *cells, whole.shown(short)])
    return table(heads, rows)


def _redis_table(uses: Sequence[Use]) -> str:
    names = list(uses[0].redis)
    rows = [[name, Spread.of([use.redis[name] for use in uses]).shown("{:,.1f}".format)] for name in names]
    return table(("Redis, for one queued request", ""), rows)


def _start_up_table(target: Target, output: IO[bytes], rounds: int) -> str:
    gateway, whole = [], []
    for _ in range(rounds):
        with embedded_redis() as redis_socket, ExitStack() as parts:
            began = time.monotonic()
            start_gateway(parts, output, target.url, redis_socket)
            gateway.append(time.monotonic() - began)
        began = time.monotonic()
        with running_ours(target.url, output, _SLOTS):
            whole.append(time.monotonic() - began)
    rows = [
        ["gateway, until it answers", Spread.of(gateway).shown("{:.2f} s".format)],
        ["Redis, gateway and worker, one after the other", Spread.of(whole).shown("{:.2f} s".format)],
    ]
    return table(("start-up", ""), rows)
