"""Part `bound`: throughput and waits beside HAProxy's, where the slots of the target are the limit."""

from dataclasses import dataclass, field

from benchmarks.load import running_load
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.shapes import SHAPES
from benchmarks.results import (
    Finding,
    Spread,
    at_least,
    at_most,
    format_milliseconds,
    format_ratio,
    markdown_table,
    ratios,
    rotate,
    without_bound,
)
from benchmarks.support import captured_output
from benchmarks.systems import (
    DIRECT,
    HAPROXY,
    PRIORITIES,
    QUEUE,
    Contender,
    Priority,
    path_of,
    running_contenders,
)

_SERVICE_MS = 16


@dataclass(frozen=True, slots=True)
class BoundCase:
    """How much load there is, and what is asked for. `judged` is the shape of our queue that the bounds are for.

    The high clients alone would use half of the slots, so requests of both priorities are served.
    """

    slots: int = 64
    least_throughput: float = 0.97
    judged: str = QUEUE
    shapes: tuple[str, ...] = tuple(SHAPES)

    @property
    def connections(self) -> dict[Priority, int]:
        """How many clients send requests of each priority."""
        high = self.slots // 2
        return {"high": high, "low": 7 * high}


ALL_CORES = BoundCase()


@dataclass
class _Rounds:
    """The figures of one contender, one of each round."""

    per_second: list[float] = field(default_factory=list)
    high_median_ms: list[float] = field(default_factory=list)
    high_p99_ms: list[float] = field(default_factory=list)
    low_median_ms: list[float] = field(default_factory=list)


def measure_bound(size: RunSize, case: BoundCase = ALL_CORES) -> Report:
    """Load our queue and HAProxy with both priorities at once."""
    report, names = Report("bound"), (DIRECT, HAPROXY, *case.shapes)
    rounds = {name: _Rounds() for name in names}
    with captured_output() as output, running_contenders(output, case.slots, names) as (_, contenders):
        for number in range(-1, size.rounds):  # round -1 is the warm-up
            for name in rotate(list(contenders), number):
                _load_both(report, case, contenders[name], number, size.seconds if number >= 0 else 1, rounds[name])
    if rounds[HAPROXY].per_second:
        for name in case.shapes:
            found = _judge(rounds, case, name)
            report.findings += found if name == case.judged else map(without_bound, found)
    report.tables["bound"] = _table(rounds, case)
    return report


def _load_both(
    report: Report, case: BoundCase, contender: Contender, number: int, seconds: int, rounds: _Rounds
) -> None:
    """Send load of both priorities at the same time, each on its own connections."""
    paths = {priority: path_of(contender.prefix, priority, _SERVICE_MS) for priority in PRIORITIES}
    connections = case.connections
    if contender.name == DIRECT:
        # The target itself has no slots: the same number of clients shows what it can do.
        connections["low"] = case.slots - connections["high"]
    with (
        running_load(contender.url, [paths["low"]], connections["low"], seconds) as low_load,
        running_load(contender.url, [paths["high"]], connections["high"], seconds) as high_load,
    ):
        high, low = high_load.result(), low_load.result()
    contender.wait_until_idle()
    if number < 0:
        return
    high = report.record(high, way=contender.name, priority="high", round=number)
    low = report.record(low, way=contender.name, priority="low", round=number)
    rounds.per_second.append(high.per_second + low.per_second)
    rounds.high_median_ms.append(high.median_ms)
    rounds.high_p99_ms.append(high.p99_ms)
    rounds.low_median_ms.append(low.median_ms)


def _judge(rounds: dict[str, _Rounds], case: BoundCase, name: str) -> list[Finding]:
    ours, haproxy = rounds[name], rounds[HAPROXY]
    label = f"{case.slots} slots at {_SERVICE_MS} ms, {SHAPES[name]}"
    throughput = ratios(ours.per_second, haproxy.per_second)
    medians = ratios(ours.high_median_ms, haproxy.high_median_ms)
    return [
        at_least(f"{label}: throughput, times HAProxy's", case.least_throughput, throughput, format_ratio),
        at_most(f"{label}: median of high, times HAProxy's", 1.1, medians, format_ratio),
        at_most(
            f"{label}: p99 of high, times HAProxy's", 1.1, ratios(ours.high_p99_ms, haproxy.high_p99_ms), format_ratio
        ),
    ]


def _table(rounds: dict[str, _Rounds], case: BoundCase) -> str:
    heads = ("", "requests per second", "high: median", "high: p99", "low: median")
    rows = [
        [
            f"direct, {case.slots} connections" if name == DIRECT else name,
            Spread.of(one.per_second).format("{:,.0f}".format),
            *(
                Spread.of(values).format(format_milliseconds)
                for values in (one.high_median_ms, one.high_p99_ms, one.low_median_ms)
            ),
        ]
        for name, one in rounds.items()
        if one.per_second
    ]
    return markdown_table(heads, rows)
