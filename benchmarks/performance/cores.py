"""Part `cores`: two gateways and two worker processes beside one and one, with the same cores, slots and load."""

from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.load import run_loadtest_check, running_load
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Finding, Spread, at_least, format_ratio, markdown_table, ratios, rotate
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    PRIORITIES,
    QUEUE_PREFIX,
    GatewayStack,
    path_of,
    running_gateway_stack,
    running_nginx_target,
)
from fast_priority.errors import ConfigurationError

_CONNECTIONS = 256
_SHAPES = (1, 2)  # the number of gateways, and of worker processes
_LOADS = 2  # processes of wrk, in both shapes
_CHECKED_SLOTS = 16


@dataclass(frozen=True, slots=True)
class _Case:
    """The slots and the service time that make something the limit."""

    label: str
    slots: int
    service_ms: int


_CASES = (_Case("the slots as the limit: 64 at 16 ms", 64, 16), _Case("the cores as the limit: target for free", 16, 0))


def measure_cores(size: RunSize) -> Report:
    """Compare throughput for each limit, and check the order of the larger stack."""
    report = Report("cores")
    rows = [_compare(report, case, size) for case in _CASES]
    heads = ("requests per second of gateways and worker processes", *(f"{shape} and {shape}" for shape in _SHAPES))
    report.tables["cores"] = markdown_table(heads, rows)
    if size.check_order:
        report.findings.append(_check_order(report))
    return report


def _compare(report: Report, case: _Case, size: RunSize) -> list[str]:
    """Add a finding to the report, and return a row of its table."""
    rates: dict[int, list[float]] = {shape: [] for shape in _SHAPES}
    with captured_output() as output, running_nginx_target(output) as target, ExitStack() as processes:
        stacks = {
            shape: processes.enter_context(
                running_gateway_stack(target.url, output, case.slots, workers=shape, gateways=shape)
            )
            for shape in _SHAPES
        }
        for number in range(-1, size.rounds):  # round -1 is the warm-up
            for shape in rotate(_SHAPES, number):
                rate = _load(report, stacks[shape], case, shape, number, size.seconds if number >= 0 else 1)
                if number >= 0:
                    rates[shape].append(rate)
    label = f"two gateways and two worker processes, {case.label}: throughput, times that of one and one"
    report.findings.append(at_least(label, 1.0, ratios(rates[2], rates[1]), format_ratio))
    return [case.label, *(Spread.of(rates[shape]).format("{:,.0f}".format) for shape in _SHAPES)]


def _load(report: Report, stack: GatewayStack, case: _Case, shape: int, number: int, seconds: int) -> float:
    """Return the requests per second of all loads together; 0 in the warm-up."""
    paths = [path_of(QUEUE_PREFIX, priority, case.service_ms) for priority in PRIORITIES]
    with ExitStack() as running:
        loads = [
            running.enter_context(running_load(stack.urls[load % shape], paths, _CONNECTIONS // _LOADS, seconds))
            for load in range(_LOADS)
        ]
        results = [load.result() for load in loads]
    stack.wait_until_idle()
    if number < 0:
        return 0.0
    labels = {"service_ms": case.service_ms, "shape": shape, "round": number}
    return sum(report.record(result, **labels, client=load).per_second for load, result in enumerate(results))


def _check_order(report: Report) -> Finding:
    """Run `loadtest check` on a stack of the larger shape."""
    inversions = overtakings = 0
    try:
        result = run_loadtest_check("--quick", "--slots", str(_CHECKED_SLOTS), "--workers", "2", "--gateways", "2")
        verdict = result.verdict
        inversions, overtakings = result.total("inversions"), result.total("overtakings")
    except ConfigurationError as error:
        log_progress(str(error))
        verdict = "it could not run"
    report.figures.append({"part": "cores", "proof": verdict, "inversions": inversions, "overtakings": overtakings})
    log_progress(f"cores: order of two and two: {verdict}, {inversions} inversions, {overtakings} overtakings")
    return Finding(
        "two gateways and two worker processes: the order, by `loadtest check`",
        "0 inversions",
        f"{inversions} inversions, {overtakings} overtakings: {verdict}",
        verdict == "PROVED" and inversions == 0,
    )
