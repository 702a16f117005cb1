"""Part `tokens`: the CPU of each event of many streams, through the queue and through pass-through."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from benchmarks.endpoints import EventStream, receive_streams
from benchmarks.observation import cpu_microseconds
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.shapes import SHAPES
from benchmarks.results import Spread, at_most, format_ratio, informational, markdown_table, ratios, rotate, two_digits
from benchmarks.support import captured_output, has_haproxy, log_progress
from benchmarks.systems import (
    HAPROXY,
    PASS_THROUGH,
    PASS_THROUGH_PREFIX,
    QUEUE,
    QUEUE_PREFIX,
    WORKERS,
    running_gateway_stack,
    running_gateways_with_slots,
    running_haproxy,
    running_streaming_target,
)
from fast_priority.errors import ConfigurationError

_STREAMS = 64
_EVENTS_PER_SECOND = 40
_WARM_UP_EVENTS = 5
_GRACE_SECONDS = 30.0
_OK = 200
Way = tuple[int, str, dict[str, list[int]]]
"""The port, the prefix of the paths, and the processes by name."""


def measure_tokens(size: RunSize) -> Report:
    """Hold 64 streams open at once, 40 events a second in each, and count CPU."""
    report = Report("tokens")
    costs: dict[str, list[dict[str, float]]] = {}
    with captured_output() as output, _running_ways(output) as ways:
        for number in range(-1, size.ways_rounds):  # round -1 is the warm-up: it opens the connections
            for name in rotate(list(ways), number):
                cost = _measure(ways[name], _WARM_UP_EVENTS if number < 0 else size.stream_events)
                if number >= 0:
                    costs.setdefault(name, []).append(cost)
                    report.figures.append({"part": "tokens", "way": name, "round": number, "cpu_microseconds": cost})
                    log_progress(f"tokens: {name}, round {number}: {sum(cost.values()):.0f} µs of CPU for each event")
    totals = {name: [sum(cost.values()) for cost in of_way] for name, of_way in costs.items()}
    label = f"{_STREAMS} event streams, {{}}: CPU for each event, times our pass-through's"
    report.findings = [
        at_most(label.format(SHAPES[QUEUE]), 1.15, ratios(totals[QUEUE], totals[PASS_THROUGH]), format_ratio),
        informational(label.format(SHAPES[WORKERS]), ratios(totals[WORKERS], totals[PASS_THROUGH]), format_ratio),
    ]
    processes = ("HAProxy", "gateway", "Redis", "worker")
    rows = [
        [
            name,
            *(
                two_digits(Spread.of([cost[one] for cost in of_way]).median) if one in of_way[0] else ""
                for one in processes
            ),
            Spread.of(totals[name]).format(two_digits),
        ]
        for name, of_way in costs.items()
    ]
    report.tables["tokens"] = markdown_table(("CPU for each event, µs", *processes, "together"), rows)
    return report


@contextmanager
def _running_ways(output: IO[bytes]) -> Iterator[dict[str, Way]]:
    with ExitStack() as processes:
        target_url = processes.enter_context(running_streaming_target(output))
        ways: dict[str, Way] = {}
        if has_haproxy():
            url, pid = processes.enter_context(running_haproxy(target_url, _STREAMS, output, status_path="/state"))
            ways[HAPROXY] = _port(url), QUEUE_PREFIX, {"HAProxy": [pid]}
        slots = processes.enter_context(running_gateways_with_slots(target_url, output, _STREAMS))
        workers = processes.enter_context(running_gateway_stack(target_url, output, _STREAMS))
        ways[PASS_THROUGH] = _port(slots.urls[0]), PASS_THROUGH_PREFIX, {"gateway": slots.processes["gateway"]}
        ways[QUEUE] = _port(slots.urls[0]), QUEUE_PREFIX, slots.processes
        ways[WORKERS] = _port(workers.urls[0]), QUEUE_PREFIX, workers.processes
        yield ways


def _measure(way: Way, events: int) -> dict[str, float]:
    """Return the microseconds of CPU for each event, by process. Raises ConfigurationError if an event is missing."""
    port, prefix, processes = way
    path = f"{prefix}/events?interval={1 / _EVENTS_PER_SECOND}&count={events}"
    before = {name: sum(map(cpu_microseconds, pids)) for name, pids in processes.items()}
    within_seconds = events / _EVENTS_PER_SECOND + _GRACE_SECONDS
    streams: list[EventStream] = asyncio.run(receive_streams(port, path, _STREAMS, within_seconds))
    after = {name: sum(map(cpu_microseconds, pids)) for name, pids in processes.items()}
    if any(stream.status != _OK or len(stream.events) != events for stream in streams):
        raise ConfigurationError("not all event streams were complete")
    time.sleep(0.2)
    return {name: (after[name] - before[name]) / (_STREAMS * events) for name in processes}


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
