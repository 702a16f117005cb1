"""Part `free`: our queue beside HAProxy and stock rq workers, with a target that answers at once."""

from benchmarks.observation import measure_cost
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.shapes import SHAPES
from benchmarks.performance.ways import SLOTS, warm_up
from benchmarks.results import (
    Spread,
    at_least,
    format_ratio,
    informational,
    markdown_table,
    ratios,
    rotate,
    two_digits,
    without_bound,
)
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    HAPROXY,
    HAPROXY_ONE_THREAD,
    PASS_THROUGH,
    QUEUE,
    QUEUE_ON_ALL_CORES,
    STOCK_WORKERS,
    Contender,
    NginxTarget,
    running_contenders,
)

_CONNECTIONS = 256
_STOCK_WARM_UP_SECONDS = 4


def measure_free(size: RunSize, *, with_stock_workers: bool = True) -> Report:
    """Compare requests per second on many connections."""
    report = Report("free")
    names = (HAPROXY, HAPROXY_ONE_THREAD, PASS_THROUGH, *SHAPES, *([STOCK_WORKERS] if with_stock_workers else []))
    rates: dict[str, list[float]] = {name: [] for name in names}
    with captured_output() as output, running_contenders(output, SLOTS, names) as (target, contenders):
        warm_up(contenders)
        for number in range(size.rounds):
            for name in rotate(list(contenders), number):
                if name == STOCK_WORKERS:
                    rate = _measure_stock_workers(report, contenders[name], target, number, size.stock_seconds)
                else:
                    result = contenders[name].run_load(0, _CONNECTIONS, size.seconds)
                    rate = report.record(result, way=name, connections=_CONNECTIONS, round=number).per_second
                rates[name].append(rate)
    label = f"target for free, {SLOTS} slots, {_CONNECTIONS} connections: requests per second through the queue"
    for name, shape in SHAPES.items():
        of_shape = f"{label}, {shape}"
        finding = at_least(
            f"{of_shape}, times our pass-through's", 1.0, ratios(rates[name], rates[PASS_THROUGH]), format_ratio
        )
        report.findings.append(finding if name == QUEUE else without_bound(finding))
        if rates[HAPROXY]:
            spread = ratios(rates[name], rates[HAPROXY])
            finding = at_least(f"{of_shape}, times HAProxy's priority queue", 0.5, spread, format_ratio)
            report.findings.append(finding if name == QUEUE_ON_ALL_CORES else without_bound(finding))
            spread = ratios(rates[name], rates[HAPROXY_ONE_THREAD])
            report.findings.append(informational(f"{of_shape}, times HAProxy's with one thread", spread, format_ratio))
    if with_stock_workers:
        spread = ratios(rates[QUEUE], rates[STOCK_WORKERS])
        report.findings.append(at_least(f"{label}, times stock rq workers", 50, spread, format_ratio))
    rows = [[name, Spread.of(values).format(two_digits)] for name, values in rates.items() if values]
    heads = (f"{_CONNECTIONS} connections, target for free", "requests per second")
    report.tables["free"] = markdown_table(heads, rows)
    return report


def _measure_stock_workers(
    report: Report, contender: Contender, target: NginxTarget, number: int, seconds: int
) -> float:
    """Return the requests per second that reach the target, once all stock workers are at work."""
    with contender.running_load(0, _CONNECTIONS, _STOCK_WARM_UP_SECONDS + seconds + 30):
        measure_cost(target.count_requests, {}, None, _STOCK_WARM_UP_SECONDS)
        cost = measure_cost(target.count_requests, {}, None, seconds)
    contender.wait_until_idle()
    labels = {"part": "free", "way": contender.name, "round": number}
    report.figures.append({**labels, "per_second": cost.per_second, "errors": 0})
    log_progress(f"free: {contender.name}, round {number}: {cost.per_second:.1f}/s")
    return cost.per_second
