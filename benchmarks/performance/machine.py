"""Part `machine`: what a switch between processes and a round trip to Redis cost here, on one core and on two."""

import os

from benchmarks.observation import bound_to, redis_round_trip_microseconds, switch_microseconds
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Spread, markdown_table, two_digits
from benchmarks.support import log_progress
from fast_priority.local.redis_server import embedded_redis

_SWITCH, _ROUND_TRIP = "a switch to a process that waits", "a round trip to an idle Redis"


def measure_machine(size: RunSize) -> Report:
    """Measure both on one core, and on two if there are two."""
    report = Report("machine")
    cores = sorted(os.sched_getaffinity(0))
    settings = {count: cores[:count] for count in (1, 2) if count <= len(cores)}
    values: dict[str, list[list[float]]] = {_SWITCH: [], _ROUND_TRIP: []}
    for count, used in settings.items():
        values[_SWITCH].append([switch_microseconds(used) for _ in range(size.ways_rounds)])
        with bound_to(used), embedded_redis() as redis_socket:
            values[_ROUND_TRIP].append([redis_round_trip_microseconds(redis_socket) for _ in range(size.ways_rounds)])
        for name, of_each in values.items():
            report.figures.append({"part": "machine", "what": name, "cores": count, "microseconds": of_each[-1]})
            log_progress(
                f"machine: {name}, {count} core{'s' if count > 1 else ''}: {Spread.of(of_each[-1]).median:.1f} µs"
            )
    heads = ["µs", *("one core" if count == 1 else "two cores" for count in settings)]
    rows = [[name, *(Spread.of(one).format(two_digits) for one in of_each)] for name, of_each in values.items()]
    report.tables["machine-costs"] = markdown_table(heads, rows)
    return report
