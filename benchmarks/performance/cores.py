"""Part `cores`: two processes of each kind beside one, with the same cores, slots and load, in both shapes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import IO

from benchmarks.load import run_loadtest_check, running_load
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Finding, Spread, at_least, format_ratio, markdown_table, ratios, rotate, without_bound
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    PRIORITIES,
    QUEUE_PREFIX,
    GatewayStack,
    path_of,
    running_gateway_stack,
    running_gateways_with_slots,
    running_nginx_target,
)
from fast_priority.errors import ConfigurationError

_CONNECTIONS = 256
_COUNTS = (1, 2)
"""Of the processes of each kind."""
_LOADS = 2  # processes of wrk, in all shapes
_CHECKED_SLOTS = 16


@dataclass(frozen=True, slots=True)
class _Case:
    """The slots and the service time that make something the limit."""

    label: str
    slots: int
    service_ms: int


_CASES = (_Case("the slots as the limit: 64 at 16 ms", 64, 16), _Case("the cores as the limit: target for free", 16, 0))


@dataclass(frozen=True, slots=True)
class _Kind:
    """A shape of our queue that can have one process of each kind, or several."""

    name: str
    run: Callable[[str, IO[bytes], int, int], AbstractContextManager[GatewayStack]]
    """Runs it: the target's URL, a file for output, the slots, and the number of processes."""
    check_options: tuple[str, ...]
    """Options of `loadtest check` for two of each."""


_KINDS = (
    _Kind(
        "gateway processes with slots",
        lambda url, output, slots, count: running_gateways_with_slots(url, output, slots, gateways=count),
        ("--shape", "slots", "--gateways", "2"),
    ),
    _Kind(
        "gateways and worker processes",
        lambda url, output, slots, count: running_gateway_stack(url, output, slots, workers=count, gateways=count),
        ("--workers", "2", "--gateways", "2"),
    ),
)


def measure_cores(size: RunSize) -> Report:
    """Compare throughput for each limit, and check the order of the larger stacks."""
    report = Report("cores")
    rows = [_compare(report, case, kind, size) for kind in _KINDS for case in _CASES]
    heads = ("requests per second", *(f"{count} of each" if count > 1 else "1" for count in _COUNTS))
    report.tables["cores"] = markdown_table(heads, rows)
    if size.check_order:
        report.findings += [_check_order(report, kind) for kind in _KINDS]
    return report


def _compare(report: Report, case: _Case, kind: _Kind, size: RunSize) -> list[str]:
    """Add a finding to the report, and return a row of its table."""
    rates: dict[int, list[float]] = {count: [] for count in _COUNTS}
    with captured_output() as output, running_nginx_target(output) as target, ExitStack() as processes:
        stacks = {count: processes.enter_context(kind.run(target.url, output, case.slots, count)) for count in _COUNTS}
        for number in range(-1, size.rounds):  # round -1 is the warm-up
            for count in rotate(_COUNTS, number):
                labels: dict[str, str | int] = {"kind": kind.name, "service_ms": case.service_ms}
                labels |= {"processes": count, "round": number}
                rate = _load(report, stacks[count], case, labels, size.seconds if number >= 0 else 1)
                if number >= 0:
                    rates[count].append(rate)
    label = f"two {kind.name}, {case.label}: throughput, times that of one"
    finding = at_least(label, 1.0, ratios(rates[2], rates[1]), format_ratio)
    # Where two cores are full with one of each, two of each cannot carry more.
    report.findings.append(finding if case.service_ms else without_bound(finding))
    return [f"{kind.name}; {case.label}", *(Spread.of(rates[count]).format("{:,.0f}".format) for count in _COUNTS)]


def _load(report: Report, stack: GatewayStack, case: _Case, labels: dict[str, str | int], seconds: int) -> float:
    """Return the requests per second of all loads together; 0 in the warm-up."""
    paths = [path_of(QUEUE_PREFIX, priority, case.service_ms) for priority in PRIORITIES]
    with ExitStack() as running:
        loads = [
            running.enter_context(
                running_load(stack.urls[load % len(stack.urls)], paths, _CONNECTIONS // _LOADS, seconds)
            )
            for load in range(_LOADS)
        ]
        results = [load.result() for load in loads]
    stack.wait_until_idle()
    if labels["round"] == -1:
        return 0.0
    return sum(report.record(result, **labels, client=load).per_second for load, result in enumerate(results))


def _check_order(report: Report, kind: _Kind) -> Finding:
    """Run `loadtest check` on a stack with two of each."""
    inversions = overtakings = 0
    try:
        result = run_loadtest_check("--quick", "--slots", str(_CHECKED_SLOTS), *kind.check_options)
        verdict = result.verdict
        inversions, overtakings = result.total("inversions"), result.total("overtakings")
    except ConfigurationError as error:
        log_progress(str(error))
        verdict = "it could not run"
    report.figures.append(
        {"part": "cores", "kind": kind.name, "proof": verdict, "inversions": inversions, "overtakings": overtakings}
    )
    log_progress(f"cores: order of two {kind.name}: {verdict}, {inversions} inversions, {overtakings} overtakings")
    return Finding(
        f"two {kind.name}: the order, by `loadtest check`",
        "0 inversions",
        f"{inversions} inversions, {overtakings} overtakings: {verdict}",
        verdict == "PROVED" and inversions == 0,
    )
