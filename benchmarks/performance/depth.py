"""Part `depth`: whether a request costs more when many wait: CPU time of each process, and Redis's of each script."""

from benchmarks.load import running_load
from benchmarks.observation import RequestCost, measure_cost, script_microseconds
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Spread, at_most, format_ratio, markdown_table, ratios, rotate, two_digits
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    QUEUE_PREFIX,
    GatewayStack,
    NginxTarget,
    path_of,
    running_gateways_with_slots,
    running_nginx_target,
)
from fast_priority.local.child_processes import wait_until

_SLOTS, _SERVICE_MS = 16, 16  # at most 1,000 requests per second: the target is the limit, so the rates are equal
_SETTLE_SECONDS = 3.0
_FILL_SECONDS = 60
_SCRIPT_SECONDS = 2.0
_PERIODIC_SCRIPTS = ("renew", "watch")  # these run every second, not for each request
_MOST_SCRIPT_RATIO = 2.0
_PROCESSES = ("gateway", "Redis")
ScriptTimes = dict[str, float]
"""Microseconds per request, by script."""


def measure_depth(size: RunSize) -> Report:
    """Keep few and then many requests queued, in turn, and compare the cost of each request that is served."""
    report = Report("depth")
    depths = (size.few_queued, size.many_queued)
    costs: dict[int, list[RequestCost]] = {depth: [] for depth in depths}
    scripts: dict[int, list[ScriptTimes]] = {depth: [] for depth in depths}
    with captured_output() as output, running_nginx_target(output) as target:
        for number in range(size.depth_rounds):
            for depth in rotate(depths, number):
                # A new stack each time, so no measurement finds memory as another one left it.
                with running_gateways_with_slots(target.url, output, _SLOTS) as stack:
                    cost, script_times = _measure(target, stack, depth, size.depth_seconds)
                costs[depth].append(cost)
                scripts[depth].append(script_times)
                report.figures.append({"part": "depth", "depth": depth, "round": number, "per_second": cost.per_second,
                                       "cpu_microseconds": dict(cost.cpu_microseconds),
                                       "script_microseconds": script_times})  # fmt: skip
                log_progress(
                    f"depth: {depth} queued: {_cpu(cost):.0f} µs of CPU for each of {cost.per_second:,.0f} requests/s"
                )
    few, many = ([_cpu(cost) for cost in costs[depth]] for depth in depths)
    label = f"CPU per request of gateway and Redis with {depths[1]:,} queued, times that with {depths[0]:,}"
    report.findings = [at_most(label, 1.15, ratios(many, few), format_ratio)]
    few, many = ([_request_scripts(times) for times in scripts[depth]] for depth in depths)
    label = "Redis's time for the steps of one request, its start among them: the same"
    report.findings.append(at_most(label, _MOST_SCRIPT_RATIO, ratios(many, few), format_ratio))
    report.tables["depth"] = _cpu_table(costs)
    report.tables["scripts"] = _scripts_table(scripts)
    return report


def _measure(target: NginxTarget, stack: GatewayStack, depth: int, seconds: int) -> tuple[RequestCost, ScriptTimes]:
    """Measure while this number of requests waits."""
    path = path_of(QUEUE_PREFIX, "low", _SERVICE_MS)
    with running_load(stack.urls[0], [path], depth + _SLOTS, _FILL_SECONDS + 2 * seconds):
        wait_until(f"{depth} requests wait", lambda: (stack.waiting() or 0) >= 0.9 * depth, _FILL_SECONDS)
        measure_cost(target.count_requests, {}, None, _SETTLE_SECONDS)
        cost = measure_cost(target.count_requests, stack.processes, stack.redis_socket, seconds)
        return cost, script_microseconds(target.count_requests, stack.redis_socket, _SCRIPT_SECONDS)


def _cpu(cost: RequestCost) -> float:
    return sum(cost.cpu_microseconds[name] for name in _PROCESSES)


def _request_scripts(times: ScriptTimes) -> float:
    return sum(microseconds for name, microseconds in times.items() if name not in _PERIODIC_SCRIPTS)


def _cpu_table(costs: dict[int, list[RequestCost]]) -> str:
    heads = ["queued", "requests per second", *(f"{name}, µs" for name in _PROCESSES), "together, µs"]
    rows = []
    for depth, rounds in costs.items():
        row = [f"{depth:,}", Spread.of([cost.per_second for cost in rounds]).format("{:,.0f}".format)]
        row += [Spread.of([cost.cpu_microseconds[name] for cost in rounds]).format(two_digits) for name in _PROCESSES]
        rows.append([*row, Spread.of([_cpu(cost) for cost in rounds]).format(two_digits)])
    return markdown_table(heads, rows)


def _scripts_table(scripts: dict[int, list[ScriptTimes]]) -> str:
    names = sorted({name for rounds in scripts.values() for times in rounds for name in times})
    heads = ["Redis's time for each request, µs", *(f"{depth:,} queued" for depth in scripts)]
    rows = [
        [
            f"`{name}.lua`",
            *(Spread.of([times.get(name, 0.0) for times in rounds]).format(two_digits) for rounds in scripts.values()),
        ]
        for name in names
    ]
    return markdown_table(heads, rows)
