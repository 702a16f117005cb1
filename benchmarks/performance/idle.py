"""Part `idle`: the latency of our queue beside our own pass-through, on one connection."""

from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.ways import SLOTS, warm_up
from benchmarks.results import Spread, at_most, format_milliseconds, format_ratio, markdown_table, ratios, rotate
from benchmarks.support import captured_output
from benchmarks.systems import DIRECT, PASS_THROUGH, QUEUE, running_contenders


def measure_idle(size: RunSize) -> Report:
    """Compare the median of each contender."""
    report, names = Report("idle"), (DIRECT, PASS_THROUGH, QUEUE)
    medians: dict[str, list[float]] = {name: [] for name in names}
    with captured_output() as output, running_contenders(output, SLOTS, names) as (_, contenders):
        warm_up(contenders)
        for number in range(size.rounds):
            for name in rotate(list(contenders), number):
                result = contenders[name].run_load(0, 1, size.ways_seconds)
                medians[name].append(report.record(result, way=name, connections=1, round=number).median_ms)
    label = "one connection, target for free: median through the queue, times our pass-through's"
    report.findings = [at_most(label, 2.5, ratios(medians[QUEUE], medians[PASS_THROUGH]), format_ratio)]
    rows = [[name, Spread.of(medians[name]).format(format_milliseconds)] for name in names]
    report.tables["idle"] = markdown_table(("one connection", "median"), rows)
    return report
