"""The target as the limit: throughput and waits beside HAProxy's, and how busy the slots are kept."""

from dataclasses import dataclass, field

from benchmarks.load.wrk import loading
from benchmarks.observation.target_log import busy_share, steady_span
from benchmarks.performance.recording import record, tell
from benchmarks.performance.sizes import Sizes
from benchmarks.results.findings import (
    Finding,
    Report,
    Spread,
    at_least,
    at_most,
    milliseconds,
    percent,
    ratios,
    rotated,
    table,
    times,
    without_bound,
)
from benchmarks.systems.contenders import DIRECT, HAPROXY, QUEUED, QUEUED_ON_CORES, Way, measuring, running_ways
from benchmarks.systems.nginx import Target
from benchmarks.systems.paths import PRIORITIES, Priority, path_of

_BOUND_SLOTS, _BOUND_SERVICE_MS = 64, 16
# High requests alone would keep half of the slots busy, so both priorities get through, and as many of each.
_HIGH_CONNECTIONS, _LOW_CONNECTIONS = 32, 224
_BUSY_SLOTS, _WAITING = 16, 64
_LEAST_BUSY = {100: 0.99, 10: 0.95}
_MARGIN_SECONDS = 0.5
_BUSY_ROUNDS = 2  # for each of the others: the bounds are nearer than the rounds are to each other
_SHAPES = {QUEUED: "one worker process", QUEUED_ON_CORES: "a worker process for each core"}


@dataclass
class _Rounds:
    """What one way gave in each round."""

    per_second: list[float] = field(default_factory=list)
    high_median_ms: list[float] = field(default_factory=list)
    high_p99_ms: list[float] = field(default_factory=list)
    low_median_ms: list[float] = field(default_factory=list)


def measure_bound(sizes: Sizes) -> Report:
    """Load queue and HAProxy with both priorities where the slots are the limit."""
    report, names = Report("bound"), (DIRECT, HAPROXY, QUEUED, QUEUED_ON_CORES)
    rounds = {name: _Rounds() for name in names}
    with measuring() as output, running_ways(output, _BOUND_SLOTS, names) as (_, ways):
        for number in range(-1, sizes.rounds):  # the first one warms up
            for name in rotated(list(ways), number):
                _load_both(report, ways[name], number, sizes.seconds if number >= 0 else 1, rounds[name])
    if rounds[HAPROXY].per_second:
        # Asked of the queue as one sets it up who knows it, as the others are; the other shape is there to be compared.
        report.findings = [*_judge_bound(rounds, QUEUED_ON_CORES), *map(without_bound, _judge_bound(rounds, QUEUED))]
    report.tables["bound"] = _bound_table(rounds)
    return report


def _judge_bound(rounds: dict[str, _Rounds], name: str) -> list[Finding]:
    ours, theirs = rounds[name], rounds[HAPROXY]
    what = f"{_BOUND_SLOTS} slots at {_BOUND_SERVICE_MS} ms, {_SHAPES[name]}"
    medians = ratios(ours.high_median_ms, theirs.high_median_ms)
    return [
        at_least(f"{what}: throughput, times HAProxy's", 0.97, ratios(ours.per_second, theirs.per_second), times),
        at_most(f"{what}: median of high, times HAProxy's", 1.1, medians, times),
        at_most(f"{what}: p99 of high, times HAProxy's", 1.1, ratios(ours.high_p99_ms, theirs.high_p99_ms), times),
    ]


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
    rows, names = [], (DIRECT, QUEUED, QUEUED_ON_CORES)
    with measuring() as output, running_ways(output, _BUSY_SLOTS, names, keeps_log=True) as (target, ways):
        for service_ms, least in _LEAST_BUSY.items():
            shares: dict[tuple[str, Priority], list[float]] = {(DIRECT, "low"): []}
            shares |= {(name, priority): [] for name in (QUEUED, QUEUED_ON_CORES) for priority in PRIORITIES}
            services: list[float] = []
            for number in range(_BUSY_ROUNDS * sizes.rounds):
                for name, priority in rotated(list(shares), number):
                    share, mean_ms = _busy(report, ways[name], target, priority, service_ms, number, sizes.busy_seconds)
                    shares[name, priority].append(share)
                    services.append(mean_ms)
            report.findings += _judge_busy(shares, QUEUED_ON_CORES, service_ms, least)
            report.findings += map(without_bound, _judge_busy(shares, QUEUED, service_ms, least))
            cells = [Spread.of(values).shown(percent) for values in shares.values()]
            rows.append([f"{service_ms} ms", Spread.of(services).shown(milliseconds), *cells])
    heads = [
        "service", "as the target measures it", f"direct, {_BUSY_SLOTS} connections",
        *(f"{_SHAPES[name]}, all {priority}" for name in (QUEUED, QUEUED_ON_CORES) for priority in PRIORITIES),
    ]  # fmt: skip
    report.tables["busy"] = table(heads, rows)
    return report


def _judge_busy(
    shares: dict[tuple[str, Priority], list[float]], name: str, service_ms: int, least: float
) -> list[Finding]:
    what = f"{_BUSY_SLOTS} slots at {service_ms} ms, {_SHAPES[name]}: kept busy by"
    beside = "requests, beside a direct client"
    return [
        at_least(f"{what} {priority} {beside}", least, ratios(shares[name, priority], shares[DIRECT, "low"]), percent)
        for priority in PRIORITIES
    ]


def _busy(
    report: Report, way: Way, target: Target, priority: Priority, service_ms: int, number: int, seconds: int
) -> tuple[float, float]:
    """Give the share of slot time in use, and the mean service in milliseconds."""
    target.forget()
    seen = way.load(service_ms, _BUSY_SLOTS if way.name == DIRECT else _WAITING, seconds, (priority,))
    record(report, seen, way=way.name, priority=priority, service_ms=service_ms, round=number)
    services = [one for one in target.services() if one.uri.endswith(f"/{service_ms}")]
    begins_at, ends_at = steady_span(services, _MARGIN_SECONDS)
    share = busy_share(services, _BUSY_SLOTS, begins_at, ends_at)
    mean_ms = 1000 * sum(one.seconds for one in services) / len(services)
    report.raw[-1] |= {"busy_share": share, "service_mean_ms": mean_ms}
    tell(f"busy: {way.name}, {priority}, {service_ms} ms: {share:.2%} of the slots' time")
    return (float("nan"), mean_ms) if seen.errors else (share, mean_ms)
