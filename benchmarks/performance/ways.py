"""All ways side by side, over connections and service times; and what is asked of them at two of those points."""

from collections import defaultdict
from collections.abc import Mapping

from benchmarks.load.wrk import Loaded
from benchmarks.observation.resource_use import watch_use
from benchmarks.performance.recording import record, tell
from benchmarks.performance.sizes import Sizes
from benchmarks.results.findings import (
    Report,
    Spread,
    at_least,
    at_most,
    milliseconds,
    ratios,
    rotated,
    short,
    shown_only,
    table,
    times,
)
from benchmarks.systems.contenders import (
    DIRECT,
    HAPROXY,
    HAPROXY_ALONE,
    PASSED,
    QUEUED,
    STOCK,
    Way,
    measuring,
    running_ways,
)
from benchmarks.systems.nginx import Target

SLOTS = 16
_BUSY_CONNECTIONS = 256
_WARM_UP_CONNECTIONS = 32
_STOCK_WARM_UP_SECONDS = 4
Grid = dict[tuple[str, int, int], list[Loaded]]
"""By way, service time and connections: what was seen in each round."""


def measure_grid(sizes: Sizes) -> Report:
    """Load every way with every number of connections and service time."""
    report, grid = Report("ways"), defaultdict[tuple[str, int, int], list[Loaded]](list)
    with measuring() as output, running_ways(output, SLOTS) as (_, ways):
        _warm_up(ways)
        for number in range(sizes.grid_rounds):
            for service_ms in sizes.services_ms:
                for connections in sizes.connections:
                    for name in rotated(list(ways), number):
                        if name == STOCK and number:
                            continue
                        seconds = sizes.stock_seconds if name == STOCK else sizes.grid_seconds
                        seen = ways[name].load(service_ms, connections, seconds)
                        place: dict[str, str | int] = {
                            "way": name,
                            "service_ms": service_ms,
                            "connections": connections,
                            "round": number,
                        }
                        grid[name, service_ms, connections].append(record(report, seen, **place))
    for service_ms in sizes.services_ms:
        report.tables[f"ways-{service_ms}"] = _grid_table(grid, list(ways), service_ms, sizes.connections)
    return report


def measure_free(sizes: Sizes) -> Report:
    """Compare the queue with HAProxy's and with stock workers where the target costs nothing."""
    report, names = Report("free"), (HAPROXY, HAPROXY_ALONE, QUEUED, STOCK)
    rates: dict[str, list[float]] = {name: [] for name in names}
    with measuring() as output, running_ways(output, SLOTS, names) as (target, ways):
        _warm_up(ways)
        for number in range(sizes.rounds):
            for name in rotated(list(ways), number):
                if name == STOCK:
                    rates[name].append(_stock_rate(report, ways[name], target, number, sizes.stock_seconds))
                else:
                    seen = ways[name].load(0, _BUSY_CONNECTIONS, sizes.seconds)
                    seen = record(report, seen, way=name, connections=_BUSY_CONNECTIONS, round=number)
                    rates[name].append(seen.per_second)
    what = f"target for free, {SLOTS} slots, {_BUSY_CONNECTIONS} connections: requests per second through the queue"
    if rates[HAPROXY]:
        against = ratios(rates[QUEUED], rates[HAPROXY])
        report.findings.append(at_least(f"{what}, times HAProxy's priority queue", 0.5, against, times))
        against = ratios(rates[QUEUED], rates[HAPROXY_ALONE])
        report.findings.append(shown_only(f"{what}, times HAProxy's with one thread", against, times))
    against = ratios(rates[QUEUED], rates[STOCK])
    report.findings.append(at_least(f"{what}, times stock rq workers", 50, against, times))
    rows = [[name, Spread.of(values).shown(short)] for name, values in rates.items() if values]
    report.tables["free"] = table((f"{_BUSY_CONNECTIONS} connections, target for free", "requests per second"), rows)
    return report


def measure_idle(sizes: Sizes) -> Report:
    """Compare the queue with our own pass-through on a single connection."""
    report, names = Report("idle"), (DIRECT, PASSED, QUEUED)
    medians: dict[str, list[float]] = {name: [] for name in names}
    with measuring() as output, running_ways(output, SLOTS, names) as (_, ways):
        _warm_up(ways)
        for number in range(sizes.rounds):
            for name in rotated(list(ways), number):
                seen = ways[name].load(0, 1, sizes.grid_seconds)
                medians[name].append(record(report, seen, way=name, connections=1, round=number).median_ms)
    what = "one connection, target for free: median through the queue"
    report.findings = [
        at_most(f"{what}, times our pass-through's", 2.5, ratios(medians[QUEUED], medians[PASSED]), times)
    ]
    rows = [[name, Spread.of(medians[name]).shown(milliseconds)] for name in names]
    report.tables["idle"] = table(("one connection", "median"), rows)
    return report


def _stock_rate(report: Report, way: Way, target: Target, number: int, seconds: int) -> float:
    """Give how many requests a second stock workers bring to the target, once all of them are at work."""
    with way.loading(0, _BUSY_CONNECTIONS, _STOCK_WARM_UP_SECONDS + seconds + 30):
        watch_use(target, {}, None, _STOCK_WARM_UP_SECONDS)
        use = watch_use(target, {}, None, seconds)
    way.settle()
    report.raw.append({"part": "free", "way": way.name, "round": number, "per_second": use.per_second, "errors": 0})
    tell(f"free: {way.name}, round {number}: {use.per_second:.1f}/s")
    return use.per_second


def _warm_up(ways: Mapping[str, Way]) -> None:
    for way in ways.values():
        way.load(0, _WARM_UP_CONNECTIONS, 1)


def _grid_table(grid: Grid, names: list[str], service_ms: int, connections: tuple[int, ...]) -> str:
    heads = ["requests per second; times direct"]
    heads += [f"{count:,} connection{'s' if count > 1 else ''}" for count in connections]
    rows = []
    for name in names:
        row = [name]
        for count in connections:
            rates, direct = [
                [seen.per_second for seen in grid[who, service_ms, count]] for who in (name, DIRECT)
            ]  # fmt: skip
            against = "" if name == DIRECT else f"; {ratios(rates, direct[: len(rates)]).shown(times)}"
            row.append(f"{short(Spread.of(rates).median)}{against}")
        rows.append(row)
    return table(heads, rows)
