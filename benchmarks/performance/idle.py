"""Part `idle`: the latency of our queue beside our own pass-through, on one connection; and CPU without any load."""

import time

from benchmarks.observation import cpu_microseconds
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.shapes import SHAPES
from benchmarks.performance.ways import SLOTS, warm_up
from benchmarks.results import (
    Finding,
    Spread,
    at_most,
    format_milliseconds,
    format_percent,
    format_ratio,
    markdown_table,
    ratios,
    rotate,
    without_bound,
)
from benchmarks.support import captured_output
from benchmarks.systems import DIRECT, PASS_THROUGH, QUEUE, WORKERS, Contender, running_contenders

_MOST_IDLE_SHARE = 0.01
_SETTLE_SECONDS = 2.0


def measure_idle(size: RunSize) -> Report:
    """Compare the median of each contender; then measure what our processes use while nothing comes."""
    report, names = Report("idle"), (DIRECT, PASS_THROUGH, QUEUE, WORKERS)
    medians: dict[str, list[float]] = {name: [] for name in names}
    with captured_output() as output, running_contenders(output, SLOTS, names) as (_, contenders):
        warm_up(contenders)
        for number in range(size.rounds):
            for name in rotate(list(contenders), number):
                result = contenders[name].run_load(0, 1, size.ways_seconds)
                medians[name].append(report.record(result, way=name, connections=1, round=number).median_ms)
        idle = _measure_without_load(report, [contenders[name] for name in (QUEUE, WORKERS)], size.idle_seconds)
    for name, most in ((QUEUE, 2.0), (WORKERS, 4.0)):
        label = f"one connection, target for free, {SHAPES[name]}: median through the queue, times our pass-through's"
        report.findings.append(at_most(label, most, ratios(medians[name], medians[PASS_THROUGH]), format_ratio))
    report.findings += idle
    rows = [[name, Spread.of(medians[name]).format(format_milliseconds)] for name in names]
    report.tables["idle"] = markdown_table(("one connection", "median"), rows)
    return report


def _measure_without_load(report: Report, contenders: list[Contender], seconds: float) -> list[Finding]:
    """Return the part of a core that all processes of each contender use together while there is no load."""
    pids = {one.name: [pid for pids in one.processes.values() for pid in pids] for one in contenders}
    time.sleep(_SETTLE_SECONDS)
    before = {name: sum(map(cpu_microseconds, of_one)) for name, of_one in pids.items()}
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    findings = []
    for one in contenders:
        share = (sum(map(cpu_microseconds, pids[one.name])) - before[one.name]) / passed / 1e6
        report.figures.append({"part": "idle", "way": one.name, "idle_cpu_share": share})
        label = f"{SHAPES[one.name]}: CPU of all processes without any load, of one core"
        finding = at_most(label, _MOST_IDLE_SHARE, Spread.of([share]), format_percent)
        findings.append(finding if one.name == QUEUE else without_bound(finding))
    return findings
