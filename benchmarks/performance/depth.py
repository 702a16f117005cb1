"""Whether a request costs more when many wait: CPU of each process, and Redis's time for each script."""

from benchmarks.load.wrk import loading
from benchmarks.observation.resource_use import Use, script_microseconds, watch_use
from benchmarks.performance.recording import tell
from benchmarks.performance.sizes import Sizes
from benchmarks.results.findings import Report, Spread, at_most, ratios, rotated, short, table, times
from benchmarks.systems.contenders import measuring
from benchmarks.systems.nginx import Target, running_target
from benchmarks.systems.paths import QUEUE, path_of
from benchmarks.systems.stack import Stack, running_ours
from fast_priority.stack import wait_until

_SLOTS, _SERVICE_MS = 16, 16  # 1,000 a second at most: the target is the limit, so both depths are carried as fast
_SETTLE_SECONDS = 3.0
_FILL_SECONDS = 60
_SCRIPT_SECONDS = 2.0
_BY_THE_CLOCK = ("renew", "watch")  # scripts that run every second, and not for each request
_STEPS_MOST = 2.0
_OURS = ("gateway", "worker", "Redis")


def measure_depth(sizes: Sizes) -> Report:
    """Hold few, then many requests queued, in turn, and compare what each of those carried meanwhile cost."""
    report = Report("depth")
    depths = (sizes.few_queued, sizes.many_queued)
    seen: dict[int, list[Use]] = {depth: [] for depth in depths}
    scripts: dict[int, list[dict[str, float]]] = {depth: [] for depth in depths}
    with measuring() as output, running_target(output) as target:
        for number in range(sizes.depth_rounds):
            for depth in rotated(depths, number):
                # A stack of its own for each, so that none has memory that the other has warmed or torn.
                with running_ours(target.url, output, _SLOTS) as stack:
                    use, took = _hold(target, stack, depth, sizes.depth_seconds)
                seen[depth].append(use)
                scripts[depth].append(took)
                report.raw.append({"part": "depth", "depth": depth, "round": number, "per_second": use.per_second,
                                   "cpu_microseconds": dict(use.cpu_microseconds),
                                   "script_microseconds": took})  # fmt: skip
                tell(f"depth: {depth} queued: {_cpu(use):.0f} µs of CPU for each of {use.per_second:,.0f} requests/s")
    few, many = ([_cpu(use) for use in seen[depth]] for depth in depths)
    what = f"CPU per request of gateway, worker and Redis with {depths[1]:,} queued, times that with {depths[0]:,}"
    report.findings = [at_most(what, 1.15, ratios(many, few), times)]
    few, many = ([_steps(took) for took in scripts[depth]] for depth in depths)
    what = "Redis's time for the steps of one request, its submit and its claim among them: the same"
    report.findings.append(at_most(what, _STEPS_MOST, ratios(many, few), times))
    report.tables["depth"] = _cpu_table(seen)
    report.tables["scripts"] = _scripts_table(scripts)
    return report


def _hold(target: Target, stack: Stack, depth: int, seconds: int) -> tuple[Use, dict[str, float]]:
    """Have so many requests wait throughout, and watch."""
    path = path_of(QUEUE, "low", _SERVICE_MS)
    with loading(stack.urls[0], [path], depth + _SLOTS, _FILL_SECONDS + 2 * seconds):
        wait_until(f"{depth} requests wait", lambda: (stack.waiting() or 0) >= 0.9 * depth, _FILL_SECONDS)
        watch_use(target, {}, None, _SETTLE_SECONDS)
        use = watch_use(target, stack.processes, stack.redis_socket, seconds)
        return use, script_microseconds(target, stack.redis_socket, _SCRIPT_SECONDS)


def _cpu(use: Use) -> float:
    return sum(use.cpu_microseconds[name] for name in _OURS)


def _steps(took: dict[str, float]) -> float:
    return sum(microseconds for name, microseconds in took.items() if name not in _BY_THE_CLOCK)


def _cpu_table(seen: dict[int, list[Use]]) -> str:
    heads = ["queued", "requests per second", *(f"{name}, µs" for name in _OURS), "together, µs"]
    rows = []
    for depth, uses in seen.items():
        row = [f"{depth:,}", Spread.of([use.per_second for use in uses]).shown("{:,.0f}".format)]
        row += [Spread.of([use.cpu_microseconds[name] for use in uses]).shown(short) for name in _OURS]
        rows.append([*row, Spread.of([_cpu(use) for use in uses]).shown(short)])
    return table(heads, rows)


def _scripts_table(scripts: dict[int, list[dict[str, float]]]) -> str:
    names = sorted({name for rounds in scripts.values() for took in rounds for name in took})
    heads = ["Redis's time for each request, µs", *(f"{depth:,} queued" for depth in scripts)]
    rows = [
        [
            f"`{name}.lua`",
            *(Spread.of([took.get(name, 0.0) for took in rounds]).shown(short) for rounds in scripts.values()),
        ]
        for name in names
    ]
    return table(heads, rows)
