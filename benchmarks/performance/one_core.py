"""Part `one-core`: the deciding figures with everything on one core: clients, target, Redis, and what is measured.

There each switch between processes is paid for by all of them, as on a machine where switches are dear.
"""

import os
from dataclasses import replace

from benchmarks.observation import bound_to
from benchmarks.performance.bound import BoundCase, measure_bound
from benchmarks.performance.free import measure_free
from benchmarks.performance.idle import measure_idle
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.systems import QUEUE, WORKERS

_BOUND = BoundCase(slots=32, least_throughput=0.9, shapes=(QUEUE, WORKERS))


def measure_one_core(size: RunSize) -> Report:
    """Measure the parts `idle`, `bound` (with half of the slots) and `free` on one core."""
    report = Report("one-core")
    with bound_to(sorted(os.sched_getaffinity(0))[:1]):
        parts = [measure_idle(size), measure_bound(size, _BOUND), measure_free(size, with_stock_workers=False)]
    for part in parts:
        report.findings += [replace(finding, label=f"one core: {finding.label}") for finding in part.findings]
        report.tables |= {f"one-core-{name}": text for name, text in part.tables.items()}
        report.figures += [{**figure, "part": "one-core", "of": part.part} for figure in part.figures]
        report.errors += [f"one core: {error}" for error in part.errors]
    return report
