"""Part `costs`: CPU time per request of each process, the work of Redis, and how long our processes take to start."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import IO

from benchmarks.observation import RequestCost, measure_cost
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Spread, markdown_table, rotate, two_digits
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    DIRECT,
    HAPROXY,
    NGINX,
    PASS_THROUGH,
    QUEUE,
    WORKERS,
    Contender,
    NginxTarget,
    running_contenders,
    running_gateway_stack,
    start_gateway,
)
from fast_priority.local.redis_server import embedded_redis

_SLOTS = 16
_CONNECTIONS = (1, 256)
_WARM_UP_SECONDS = 1.0
_CONTENDERS = (DIRECT, NGINX, HAPROXY, PASS_THROUGH, QUEUE, WORKERS)
PROCESSES = ("wrk", "nginx", "HAProxy", "gateway", "Redis", "worker", "target")
"""In the order in which a request passes them."""


def measure_costs(size: RunSize) -> Report:
    """Measure every contender on one connection and on many; then start our processes a few times."""
    report = Report("costs")
    with captured_output() as output, running_contenders(output, _SLOTS, _CONTENDERS) as (target, contenders):
        for connections in _CONNECTIONS:
            costs: dict[str, list[RequestCost]] = {name: [] for name in contenders}
            for number in range(size.ways_rounds):
                for name in rotate(list(contenders), number):
                    cost = _measure(contenders[name], target, connections, size.ways_seconds)
                    costs[name].append(cost)
                    report.figures.append(_figure(cost, name, connections, number))
            report.tables[f"cpu-{connections}"] = _cpu_table(costs, connections)
            report.tables[f"redis-{connections}"] = _redis_table({name: costs[name] for name in (QUEUE, WORKERS)})
        report.tables["start-up"] = _start_up_table(target, output, size.ways_rounds)
    return report


def _measure(contender: Contender, target: NginxTarget, connections: int, seconds: float) -> RequestCost:
    most_seconds = int(seconds + _WARM_UP_SECONDS) + 30
    with contender.running_load(0, connections, most_seconds) as load:
        time.sleep(_WARM_UP_SECONDS)
        processes: Mapping[str, Sequence[int]] = {"wrk": [load.pid], "target": [target.pid], **contender.processes}
        cost = measure_cost(target.count_requests, processes, contender.redis_socket, seconds)
    contender.wait_until_idle()
    microseconds = sum(cost.cpu_microseconds.values())
    log_progress(f"costs: {contender.name}, {connections} connections: {microseconds:.0f} µs of CPU per request")
    return cost


def _figure(cost: RequestCost, name: str, connections: int, number: int) -> dict[str, object]:
    return {"part": "costs", "way": name, "connections": connections, "round": number, "per_second": cost.per_second,
            "cpu_microseconds": dict(cost.cpu_microseconds), "redis": dict(cost.redis)}  # fmt: skip


def _cpu_table(costs: Mapping[str, list[RequestCost]], connections: int) -> str:
    heads = [f"CPU per request, µs; {connections} connection{'s' if connections > 1 else ''}", *PROCESSES, "together"]
    rows = []
    for name, rounds in costs.items():
        cells = []
        for process in PROCESSES:
            values = [cost.cpu_microseconds[process] for cost in rounds if process in cost.cpu_microseconds]
            cells.append(two_digits(Spread.of(values).median) if values else "")
        total = Spread.of([sum(cost.cpu_microseconds.values()) for cost in rounds])
        rows.append([name, *cells, total.format(two_digits)])
    return markdown_table(heads, rows)


def _redis_table(costs: Mapping[str, list[RequestCost]]) -> str:
    names = list(next(iter(costs.values()))[0].redis)
    rows = [
        [
            name,
            *(Spread.of([cost.redis[name] for cost in of_way]).format("{:,.1f}".format) for of_way in costs.values()),
        ]
        for name in names
    ]
    return markdown_table(("Redis, for one queued request", *costs), rows)


def _start_up_table(target: NginxTarget, output: IO[bytes], rounds: int) -> str:
    gateway, stack = [], []
    for _ in range(rounds):
        with embedded_redis() as redis_socket, ExitStack() as processes:
            began = time.monotonic()
            start_gateway(processes, output, target.url, redis_socket)
            gateway.append(time.monotonic() - began)
        began = time.monotonic()
        with running_gateway_stack(target.url, output, _SLOTS):
            stack.append(time.monotonic() - began)
    rows = [
        ["gateway, until it answers", Spread.of(gateway).format("{:.2f} s".format)],
        ["Redis, gateway and worker, one after the other", Spread.of(stack).format("{:.2f} s".format)],
    ]
    return markdown_table(("start-up", ""), rows)
