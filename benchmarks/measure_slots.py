"""The target as the limit: throughput and waits beside HAProxy's, and how busy the slots are kept."""

from dataclasses import dataclass, field

from benchmarks.findings import Report, Spread, at_least, at_most, milliseconds, percent, ratios, rotated, table, times
from benchmarks.nginx import Target
from benchmarks.paths import Priority, path_of
from benchmarks.recording import record, tell
from benchmarks.sizes import Sizes
from benchmarks.target_log import busy_share, steady_span
from benchmarks.ways import DIRECT, HAPROXY, QUEUED, Way, measuring, running_ways
from benchmarks.wrk import loading

_BOUND_SLOTS, _BOUND_SERVICE_MS = 64, 16
# High requests alone would keep half of the slots busy, so both priorities get through, and as many of each.
_HIGH_CONNECTIONS, _LOW_CONNECTIONS = 32, 224
_BUSY_SLOTS, _WAITING = 16, 64
_LEAST_BUSY = {100: 0.99, 10: 0.95}
_MARGIN_SECONDS = 0.5


@dataclass
class _Rounds:
    """What one way gave in each round."""

    per_second: list[float] = field(default_factory=list)
    high_median_ms: list[float] = field(default_factory=list)
    high_p99_ms: list[float] = field(default_factory=list)
    low_median_ms: list[float] = field(default_factory=list)


def measure_bound(sizes: Sizes) -> Report:
    """Load queue and HAProxy with both priorities where the slots are the limit."""
    report, names = Report("bound"), (DIRECT, HAPROXY, QUEUED)
    rounds = {name: _Rounds() for name in names}
    with measuring() as output, running_ways(output, _BOUND_SLOTS, names) as (_, ways):
        for number in range(-1, sizes.rounds):  # the first one warms up
            for name in rotated(list(ways), number):
                _load_both(report, ways[name], number, sizes.seconds if number >= 0 else 1, rounds[name])
    ours, theirs = rounds[QUEUED], rounds[HAPROXY]
    what = f"{_BOUND_SLOTS} slots at {_BOUND_SERVICE_MS} ms, 256 connections, both priorities"
    if theirs.per_second:
        throughput = ratios(ours.per_second, theirs.per_second)
        report.findings = [at_least(f"{what}: throughput, times HAProxy's", 0.97, throughput, times)]
        for name, mine, its in (
            ("median", ours.high_median_ms, theirs.high_median_ms),
            ("p99", ours.high_p99_ms, theirs.high_p99_ms),
        ):
            report.findings.append(at_most(f"{what}: {name} of high, times HAProxy's", 1.1, ratios(mine, its), times))
    report.tables["bound"] = _bound_table(rounds)
    return report


def _load_both(report: Report, way: Way, number: int, seconds: int, rounds: _Rounds) -> None:
    """Load with clients of either priority at once, each with connections of its own."""
    paths: dict[Priority, str] = {
        priority: path_of(way.prefix, priority, _BOUND_SERVICE_MS) for priority in ("high", "low")
    }
    # The target itself has no slots: as many clients as there would be show what it can do.
    low_connections = _BOUND_SLOTS - _HIGH_CONNECTIONS if way.name == DIRECT else _LOW_CONNECTIONS
    with (
        loading(way.url, [paths["low"]], low_connections, seconds) as low_load,
        loading(way.url, [paths["high"]], _HIGH_CONNECTIONS, seconds) as high_load,
    ):
        high, low = high_load.result(), low_load.result()
    way.settle()
    if number < 0:
        return
    high = record(report, high, way=way.name, priority="high", round=number)
    low = record(report, low, way=way.name, priority="low", round=number)
    rounds.per_second.append(high.per_second + low.per_second)
    rounds.high_median_ms.append(high.median_ms)
    rounds.high_p99_ms.append(high.p99_ms)
    rounds.low_median_ms.append(low.median_ms)


def _bound_table(rounds: dict[str, _Rounds]) -> str:
    heads = ("", "requests per second", "high: median", "high: p99", "low: median")
    rows = [
        [
            name,
            Spread.of(one.per_second).shown("{:,.0f}".format),
            *(
                Spread.of(values).shown(milliseconds)
                for values in (one.high_median_ms, one.high_p99_ms, one.low_median_ms)
            ),
        ]
        for name, one in rounds.items()
        if one.per_second
    ]
    if DIRECT in rounds:
        rows[0][0] = f"direct, {_BOUND_SLOTS} connections"
    return table(heads, rows)


def measure_busy(sizes: Sizes) -> Report:
    """See in the target's log for which share of the slots' time it had something to do while more waited."""
    report = Report("busy")
    rows = []
    with measuring() as output, running_ways(output, _BUSY_SLOTS, (DIRECT, QUEUED), keeps_log=True) as (target, ways):
        for service_ms, least in _LEAST_BUSY.items():
            shares: dict[str, list[float]] = {"direct": [], "high": [], "low": []}
            services: list[float] = []
            for number in range(sizes.rounds):
                for kind in rotated(list(shares), number):
                    share, mean_ms = _busy(report, ways, target, kind, service_ms, number, sizes.busy_seconds)
                    shares[kind].append(share)
                    services.append(mean_ms)
            for priority in ("high", "low"):
                what = (
                    f"{_BUSY_SLOTS} slots at {service_ms} ms kept busy by {priority} requests, beside a direct client"
                )
                against = ratios(shares[priority], shares["direct"])
                report.findings.append(at_least(what, least, against, percent))
            cells = [Spread.of(values).shown(percent) for values in shares.values()]
            rows.append([f"{service_ms} ms", Spread.of(services).shown(milliseconds), *cells])
    heads = ("service", "as the target measures it", "direct, 16 connections", "queue, all high", "queue, all low")
    report.tables["busy"] = table(heads, rows)
    return report


def _busy(
    report: Report, ways: dict[str, Way], target: Target, kind: str, service_ms: int, number: int, seconds: int
) -> tuple[float, float]:
    """Give the share of slot time in use, and the mean service in milliseconds."""
    is_direct = kind == "direct"
    way, priority = (ways[DIRECT], "low") if is_direct else (ways[QUEUED], kind)
    target.forget()
    seen = way.load(service_ms, _BUSY_SLOTS if is_direct else _WAITING, seconds, (_priority(priority),))
    record(report, seen, way=way.name, kind=kind, service_ms=service_ms, round=number)
    services = [one for one in target.services() if one.uri.endswith(f"/{service_ms}")]
    begins_at, ends_at = steady_span(services, _MARGIN_SECONDS)
    share = busy_share(services, _BUSY_SLOTS, begins_at, ends_at)
    mean_ms = 1000 * sum(one.seconds for one in services) / len(services)
    report.raw[-1] |= {"busy_share": share, "service_mean_ms": mean_ms}
    tell(f"busy: {kind}, {service_ms} ms: {share:.2%} of the slots' time")
    return (float("nan"), mean_ms) if seen.errors else (share, mean_ms)


def _priority(kind: str) -> Priority:
    return "high" if kind == "high" else "low"
