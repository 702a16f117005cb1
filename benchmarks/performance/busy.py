"""Part `busy`: the share of time in which our workers keep the slots busy while requests wait, by the target's log."""

from benchmarks.observation import busy_share, steady_span
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.shapes import SHAPES
from benchmarks.results import (
    Finding,
    Spread,
    at_least,
    format_milliseconds,
    format_percent,
    markdown_table,
    ratios,
    rotate,
    without_bound,
)
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    DIRECT,
    PRIORITIES,
    QUEUE,
    WORKERS,
    Contender,
    NginxTarget,
    Priority,
    running_contenders,
)

_SLOTS, _CONNECTIONS = 16, 64
_SHAPES = (QUEUE, WORKERS)
_LEAST_SHARES = {100: 0.99, 10: 0.97}
"""By service time in milliseconds."""
_MARGIN_SECONDS = 0.5
_ROUNDS_FACTOR = 2  # more rounds than other parts: their spread is larger than the distance to the bounds
Shares = dict[tuple[str, Priority], list[float]]


def measure_busy(size: RunSize) -> Report:
    """Compare our queue with a direct client that has as many connections as there are slots."""
    report = Report("busy")
    rows, names = [], (DIRECT, *_SHAPES)
    with captured_output() as output, running_contenders(output, _SLOTS, names, with_log=True) as (target, contenders):
        for service_ms, least in _LEAST_SHARES.items():
            shares: Shares = {(DIRECT, "low"): []}
            shares |= {(name, priority): [] for name in _SHAPES for priority in PRIORITIES}
            means_ms: list[float] = []
            for number in range(_ROUNDS_FACTOR * size.rounds):
                for name, priority in rotate(list(shares), number):
                    share, mean_ms = _measure(
                        report, contenders[name], target, priority, service_ms, number, size.busy_seconds
                    )
                    shares[name, priority].append(share)
                    means_ms.append(mean_ms)
            report.findings += _judge(shares, QUEUE, service_ms, least)
            report.findings += map(without_bound, _judge(shares, WORKERS, service_ms, least))
            cells = [Spread.of(values).format(format_percent) for values in shares.values()]
            rows.append([f"{service_ms} ms", Spread.of(means_ms).format(format_milliseconds), *cells])
    heads = [
        "service", "as the target measures it", f"direct, {_SLOTS} connections",
        *(f"{SHAPES[name]}, all {priority}" for name in _SHAPES for priority in PRIORITIES),
    ]  # fmt: skip
    report.tables["busy"] = markdown_table(heads, rows)
    return report


def _judge(shares: Shares, name: str, service_ms: int, least: float) -> list[Finding]:
    label = f"{_SLOTS} slots at {service_ms} ms, {SHAPES[name]}: kept busy by"
    return [
        at_least(
            f"{label} {priority} requests, beside a direct client",
            least,
            ratios(shares[name, priority], shares[DIRECT, "low"]),
            format_percent,
        )
        for priority in PRIORITIES
    ]


def _measure(
    report: Report,
    contender: Contender,
    target: NginxTarget,
    priority: Priority,
    service_ms: int,
    number: int,
    seconds: int,
) -> tuple[float, float]:
    """Return the share of the slots' time in use, NaN after errors, and the mean service time in milliseconds."""
    target.clear_log()
    connections = _SLOTS if contender.name == DIRECT else _CONNECTIONS
    result = contender.run_load(service_ms, connections, seconds, (priority,))
    report.record(result, way=contender.name, priority=priority, service_ms=service_ms, round=number)
    requests = [one for one in target.read_log() if one.uri.endswith(f"/{service_ms}")]
    begins_at, ends_at = steady_span(requests, _MARGIN_SECONDS)
    share = busy_share(requests, _SLOTS, begins_at, ends_at)
    mean_ms = 1000 * sum(one.seconds for one in requests) / len(requests)
    report.figures[-1] |= {"busy_share": share, "service_mean_ms": mean_ms}
    log_progress(f"busy: {contender.name}, {priority}, {service_ms} ms: {share:.2%} of the slots' time")
    return (float("nan"), mean_ms) if result.errors else (share, mean_ms)
